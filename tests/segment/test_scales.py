"""At which scale an object is looked at: as its size asks, wherever that is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.masks import Mask
from napari_sam.prompts import MaskPrompt, Prompts
from napari_sam.segment import segment_object
from napari_sam.segment.ready import Ready

from .conftest import BrightPartModel

SIDE = 700
CENTER = (352.0, 352.0)  # the middle of a tile
CLICK = Prompts([CENTER])


class PickyModel(BrightPartModel):
    """Sure of itself only where objects measure what suits it."""

    encodes_quickly = True
    is_pleased_elsewhere = False

    def decode(self, *args, **kwargs):
        logits, scores = super().decode(*args, **kwargs)
        middle = logits[0, logits.shape[1] // 2]
        samples = 2 * np.sqrt((middle > 0).sum().item()) * 2 / np.sqrt(np.pi)
        least, most = self.object_samples
        is_pleased = (0.9 * least <= samples <= 1.1 * most) != self.is_pleased_elsewhere
        return logits, scores * torch.tensor(1.0 if is_pleased else 0.5)


def disc(diameter):
    y, x = np.ogrid[:SIDE, :SIDE]
    return np.hypot(y - CENTER[0], x - CENTER[1]) <= diameter / 2


def embed(truth):
    pixels = np.where(truth, np.uint8(255), np.uint8(0))
    return Embeddings(open_image(pixels, intensity=Intensity((0,), (255,))), PickyModel())


def box_of(truth):
    y0, x0, y1, x1 = Mask.from_array(truth).box
    return y0, x0, y1 - 1, x1 - 1


@settings(max_examples=12, deadline=None)
@given(diameter=st.floats(9, 250), hint=st.sampled_from(["none", "diameter", "box"]))
def test_objects_of_any_size_are_found_alike(diameter, hint):
    truth = disc(diameter)
    embeddings = embed(truth)
    prompts = Prompts(box=box_of(truth)) if hint == "box" else CLICK
    told = diameter if hint == "diameter" else None
    found = segment_object(embeddings, prompts, object_diameter=told)
    assert found.best.iou(Mask.from_array(truth)) > 0.85
    least, most = embeddings.model.object_samples
    assert found.window.step == 1 / 8 or diameter / found.window.step > 0.9 * least
    assert hint == "box" or diameter / found.window.step < 1.1 * most
    assert embeddings.model.n_encoded <= 5


@pytest.mark.parametrize(
    ("diameter", "step", "n_looks", "note"),
    [
        (6, 0.25, 3, "window magnified 4 times (object is small)"),
        (9, 0.5, 2, "window magnified 2 times (object is small)"),
        (20, 1, 1, ""),
        (50, 2, 2, "window at half resolution (object is large)"),
        (70, 4, 3, "window at 1/4 resolution (object is large)"),
    ],
)
def test_a_click_looks_again_until_the_size_suits_the_model(diameter, step, n_looks, note):
    embeddings = embed(disc(diameter))
    found = segment_object(embeddings, CLICK)
    assert (found.window.step, found.note) == (step, note)
    assert embeddings.model.n_encoded == n_looks


@pytest.mark.parametrize(("diameter", "step"), [(6, 0.5), (70, 1)])
def test_other_scales_are_tried_only_while_the_answer_gets_better(diameter, step):
    embeddings = embed(disc(diameter))
    embeddings.model.is_pleased_elsewhere = True
    found = segment_object(embeddings, CLICK)
    assert found.window.step == step
    assert found.best.predicted_iou == pytest.approx(0.9)
    assert embeddings.model.n_encoded == 3


def test_an_object_that_the_model_is_not_sure_of_is_looked_at_on_both_sides():
    embeddings = embed(disc(20))
    embeddings.model.is_pleased_elsewhere = True
    found = segment_object(embeddings, CLICK)
    assert found.window.step == 0.5  # where it is larger than suits, but sure
    embeddings.model.accepted_iou = 0.4
    assert segment_object(embeddings, CLICK).window.step == 1


@pytest.mark.parametrize(
    ("prompts", "options"),
    [
        (CLICK, {"object_diameter": 20}),
        (CLICK, {"step": 1}),
        (CLICK, {"follow": False}),
        (Prompts([CENTER, (353, 353)]), {}),
        (Prompts([CENTER, (310, 310)], [1, 0]), {}),
        (Prompts(box=box_of(disc(9))), {"step": 1}),
    ],
)
def test_one_look_is_enough_for_all_but_a_click_alone(prompts, options):
    embeddings = embed(disc(9))
    found = segment_object(embeddings, prompts, **options)
    assert found.window.step == 1
    assert embeddings.model.n_encoded <= 1 + ("step" in options)  # maybe a coarser one


@pytest.mark.parametrize(("diameter", "other"), [(9, 0.5), (50, 2)])
def test_nobody_waits_twice_for_a_model_that_takes_long(diameter, other):
    embeddings = embed(disc(diameter))
    embeddings.model.encodes_quickly = False
    found = segment_object(embeddings, CLICK)
    assert embeddings.model.n_encoded == found.window.step == 1
    preview = segment_object(embeddings, CLICK, follow=False)
    assert not preview.is_tentative
    embeddings.features(embeddings.window_at(*CENTER, step=other))
    for follow in (False, True):
        found = segment_object(embeddings, CLICK, follow=follow)
        assert (found.window.step, found.is_tentative) == (other, False)
    assert embeddings.model.n_encoded == 2


def is_same(a, b):
    return a.window == b.window and a.best.iou(b.best) == 1


@settings(max_examples=12, deadline=None)
@given(diameter=st.floats(5, 250))
def test_a_preview_that_is_not_tentative_is_what_a_click_selects(diameter):
    embeddings = embed(disc(diameter))
    before = segment_object(embeddings, CLICK, follow=False)
    assert embeddings.model.n_encoded == 1
    found = segment_object(embeddings, CLICK)
    n_encoded = embeddings.model.n_encoded
    assert before.is_tentative or is_same(before, found)
    after = segment_object(embeddings, CLICK, follow=False)
    assert embeddings.model.n_encoded == n_encoded
    assert after.is_tentative or is_same(after, found)


@pytest.mark.parametrize(("diameter", "step"), [(6, 0.25), (20, 1), (70, 4)])
def test_a_correction_looks_where_the_mask_was_found(diameter, step):
    embeddings = embed(disc(diameter))
    found = segment_object(embeddings, CLICK)
    again = CLICK.with_mask(found.best.logits).with_point(350.0, 350.0, positive=True)
    assert segment_object(embeddings, again).window.step == found.window.step == step


def test_a_small_box_is_looked_at_magnified_and_waited_for_only_when_it_is_drawn():
    embeddings, prompts = embed(disc(9)), Prompts(box=box_of(disc(9)))
    preview = segment_object(embeddings, prompts, follow=False)
    assert (preview.window.step, preview.is_tentative) == (1, True)
    found = segment_object(embeddings, prompts)
    assert (found.window.step, found.is_tentative) == (0.5, False)
    preview = segment_object(embeddings, prompts, follow=False)
    assert (preview.window.step, preview.is_tentative) == (0.5, False)


def test_a_box_knows_better_than_what_was_said_of_objects():
    embeddings, prompts = embed(disc(9)), Prompts(box=box_of(disc(9)))
    assert segment_object(embeddings, prompts, object_diameter=300).window.step == 0.5
    wide = Prompts(box=(342, 342, 362, 362))
    assert segment_object(embeddings, wide, object_diameter=1).window.step == 1


def test_corrections_stay_at_the_scale_that_a_small_object_was_found_at():
    embeddings = embed(disc(6))
    found = segment_object(embeddings, CLICK)
    more = CLICK.with_mask(found.best.logits).with_point(351, 353)
    again = segment_object(embeddings, more)
    assert again.window == found.window
    far = more.with_point(382, 382)  # so it is larger than it seemed
    assert segment_object(embeddings, far).window.step == 1


@pytest.mark.parametrize("mask", [np.ones((90, 90), bool), np.zeros((9, 9), bool)])
def test_an_earlier_mask_that_is_large_or_empty_magnifies_nothing(mask):
    embeddings = embed(disc(20))
    prompts = CLICK.with_mask(MaskPrompt.from_mask(mask, 307, 307))
    assert segment_object(embeddings, prompts).window.step >= 1


@pytest.mark.parametrize(("diameter", "other"), [(9, 0.5), (50, 2)])
def test_an_answer_is_repeated_whatever_is_encoded_by_now(diameter, other):
    embeddings = embed(disc(diameter))
    embeddings.model.encodes_quickly = False
    plain = segment_object(embeddings, CLICK)
    assert other in plain.left_out
    embeddings.features(embeddings.window_at(*CENTER, step=other))
    tried = segment_object(embeddings, CLICK)
    assert (plain.window.step, tried.window.step) == (1, other)
    fresh = embed(disc(diameter))
    fresh.model.encodes_quickly = False
    for made, there in [(plain, embeddings), (plain, fresh), (tried, embeddings), (tried, fresh)]:
        again = segment_object(there, CLICK, ready=Ready(there, made.left_out))
        assert is_same(again, made)
        assert again.left_out == made.left_out


def test_what_is_encoded_is_no_matter_to_a_model_that_encodes_quickly():
    assert segment_object(embed(disc(9)), CLICK).left_out is None


@pytest.mark.parametrize("is_quick", [False, True])
def test_a_preview_of_a_correction_that_is_not_tentative_can_be_repeated(is_quick):
    embeddings = embed(disc(6))
    embeddings.model.encodes_quickly = True
    found = segment_object(embeddings, CLICK)
    more = CLICK.with_mask(found.best.logits).with_point(351, 353)
    fresh = embed(disc(6))
    fresh.model.encodes_quickly = is_quick
    preview = segment_object(fresh, more, follow=False)
    assert preview.window.step == 1
    assert preview.is_tentative == is_quick
    if not is_quick:
        again = segment_object(fresh, more, ready=Ready(fresh, preview.left_out))
        assert is_same(again, preview)
