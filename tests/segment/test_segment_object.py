from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.masks import Mask, mask_from_logits
from napari_sam.prompts import MaskPrompt, Prompts
from napari_sam.segment import segment_object, windows

WINDOW = 128
CORE = 96


def ellipse(shape, center, radii):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return ((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 <= 1


def iou(mask: Mask, truth) -> float:
    return mask.iou(Mask.from_array(truth))


@settings(max_examples=40)
@given(st.data())
def test_any_object_is_found_whole_wherever_it_lies(embed, data):
    shape = data.draw(st.tuples(st.integers(40, 700), st.integers(40, 700)), label="shape")
    fractions = st.tuples(st.floats(0, 1), st.floats(0, 1))
    center = np.multiply(data.draw(fractions, label="center"), shape)
    radii = data.draw(st.tuples(st.floats(15, 400), st.floats(15, 400)), label="radii")
    truth = ellipse(shape, center, radii)
    height, width = Mask.from_array(truth).array.shape
    assume(min(height, width) >= max(15, height / 5, width / 5))  # no slivers
    depth = distance_transform_edt(truth)
    inner = np.argwhere(depth > 0.3 * depth.max())
    point = inner[data.draw(st.integers(0, len(inner) - 1), label="pixel")]
    found = segment_object(embed(truth), Prompts([point]))
    assert iou(found.best, truth) >= 0.94  # a thin one at half resolution loses 5 %
    assert "cut" not in found.note


@pytest.mark.parametrize("radius", [12, 40, 90, 300])
@pytest.mark.parametrize(
    "center",
    [(112, 112), (112, 60), (208, 304), (0, 0), (0, 450), (699, 699), (350, 699), (111.5, 207.5)],
    ids=str,
)
def test_seams_borders_and_corners(embed, center, radius):
    truth = ellipse((700, 700), center, (radius, radius))
    embeddings = embed(truth)
    point = np.clip(center, 0, 699)
    by_point = segment_object(embeddings, Prompts([point]))
    assert iou(by_point.best, truth) >= 0.95
    y0, x0, y1, x1 = Mask.from_array(truth).box
    by_box = segment_object(embeddings, Prompts(box=(y0, x0, y1 - 1, x1 - 1)))
    assert iou(by_box.best, truth) >= 0.95


def test_an_object_in_its_tile_needs_one_window_and_neighbors_share_it(embed):
    truth = ellipse((500, 500), (60, 60), (12, 12)) | ellipse((500, 500), (60, 90), (12, 12))
    embeddings = embed(truth)
    first = segment_object(embeddings, Prompts([[60, 60]]))
    second = segment_object(embeddings, Prompts([[60, 90]]))
    assert embeddings.model.n_encoded == 1
    assert first.window == second.window == embeddings.window_at(60, 60)
    assert first.note == ""


def test_without_following_only_the_first_window_is_encoded(embed):
    truth = ellipse((500, 500), (250, 250), (150, 150))
    embeddings = embed(truth)
    preview = segment_object(embeddings, Prompts([[250, 250]]), follow=False)
    assert embeddings.model.n_encoded == 1
    assert preview.window == embeddings.window_at(250, 250)
    assert iou(preview.best, truth) < 0.3


def test_a_large_object_is_seen_at_lower_resolution_and_the_note_says_so(embed):
    found = segment_object(embed(ellipse((900, 900), (450, 450), (90, 90))), Prompts([[450, 450]]))
    assert found.window.step == 2
    assert found.note == "window at half resolution (object is large)"
    found = segment_object(embed(ellipse((900, 900), (450, 450), (200, 90))), Prompts([[450, 450]]))
    assert found.note == "window at 1/4 resolution (object is large)"


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({}, 1),
        ({"step": 2}, 2),
        ({"step": 0.5}, 0.5),
        ({"object_diameter": 28}, 1),
        ({"object_diameter": 33}, 2),
        ({"object_diameter": 200}, 8),
        ({"object_diameter": 13}, 0.5),
        ({"object_diameter": 0.1}, 0.125),
        ({"object_diameter": 13, "step": 1}, 1),
        ({"object_diameter": 33, "step": 1}, 2),
        ({"object_diameter": 33, "step": 4}, 4),
    ],
)
def test_the_first_window_is_as_fine_as_asked_for(embed, options, step):
    truth = ellipse((900, 900), (450, 450), (12, 12))
    found = segment_object(embed(truth), Prompts([[450, 450]]), follow=False, **options)
    assert found.window.step == step
    is_large = "object_diameter" in options and step > options.get("step", 1)
    assert ("object is large" in found.note) == is_large
    assert ("resolution" in found.note) == (step > 1)


def test_following_goes_on_from_the_step_that_was_asked_for(embed):
    truth = ellipse((900, 900), (450, 450), (200, 90))
    found = segment_object(embed(truth), Prompts([[450, 450]]), step=2)
    assert found.window.step > 2
    assert "resolution (object is large)" in found.note
    found = segment_object(embed(truth), Prompts([[450, 450]]), step=4)
    assert (found.window.step, found.note) == (4, "window at 1/4 resolution")
    assert iou(found.best, truth) >= 0.9
    found = segment_object(embed(truth), Prompts([[450, 450]]), object_diameter=400)
    assert found.window.step == 16
    found = segment_object(embed(truth), Prompts(box=[250, 360, 650, 540]), step=1)
    assert found.window.step == 4, "it has to hold the box"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"step": 3}, r"power of two such as 0.5, 1 or 2, found 3"),
        ({"step": 0}, r"power of two"),
        ({"step": float("nan")}, r"power of two"),
        ({"step": 1 / 1024}, r"does not hold whole pixels"),
        ({"step": 2.0**20}, r"show too much of the image at once.*smaller step"),
        ({"object_diameter": 1e9}, r"show too much of the image at once.*diameter"),
        ({"object_diameter": 0}, r"a positive number of pixels, found 0"),
        ({"object_diameter": float("nan")}, r"a positive number of pixels, found nan"),
        ({"object_diameter": float("inf")}, r"a positive number of pixels, found inf"),
    ],
)
def test_steps_and_diameters_that_mean_nothing_are_refused(embed, monkeypatch, options, sentence):
    monkeypatch.setattr(windows, "MAX_PIXELS", 300 * 300)
    with pytest.raises(ValueError, match=sentence):
        segment_object(embed(np.zeros((900, 900), bool)), Prompts([[450, 450]]), **options)


def test_a_small_image_is_magnified(embed):
    truth = ellipse((40, 30), (20, 15), (8, 8))
    found = segment_object(embed(truth), Prompts([[20, 15]]))
    assert found.window.step < 1
    assert iou(found.best, truth) >= 0.95


def test_an_endless_object_ends_after_a_few_windows(embed):
    embeddings = embed(np.ones((2500, 2500), dtype=bool))
    found = segment_object(embeddings, Prompts([[1250, 1250]]))
    assert embeddings.model.n_encoded == 5
    assert found.note.startswith("the object reaches beyond the window and is cut")
    assert "1/16 resolution" in found.note


def test_following_stops_where_masks_would_fill_the_memory(embed, monkeypatch):
    monkeypatch.setattr("napari_sam.segment.windows.MAX_PIXELS", 512**2)
    embeddings = embed(np.ones((2500, 2500), dtype=bool))
    found = segment_object(embeddings, Prompts([[1250, 1250]]))
    assert (found.window.step, embeddings.model.n_encoded) == (4, 3)
    assert found.note.startswith("the object reaches beyond the window and is cut")


def test_an_object_that_vanishes_in_a_coarser_window_is_kept_as_it_was(embed):
    truth = np.zeros((300, 300), dtype=bool)
    truth[:, 60:63] = True  # too thin for the model at half the resolution
    found = segment_object(embed(truth), Prompts([[60, 60]]), multimask=False)
    assert found.window.step == 1
    assert found.note == "the object reaches beyond the window and is cut; draw a box around it"


def test_islands_at_the_edge_do_not_move_the_window(embed):
    y, x = np.mgrid[:500, :500]
    truth = ellipse((500, 500), (60, 60), (15, 15))
    island = (y > 124) & (y < 140) & (x > 50) & (x < 60)
    embeddings = embed(truth | island)
    mask = MaskPrompt.from_mask(np.ones((20, 10), dtype=bool), 124, 50)  # makes the model add it
    found = segment_object(embeddings, Prompts([[60, 60]], mask=mask), multimask=True)
    assert mask_from_logits(found.best.logits, (500, 500)).box[2] > 124
    assert found.best.box[2] <= 124
    assert embeddings.model.n_encoded == 1


def test_only_what_the_points_lie_on_is_kept_and_the_logits_keep_all(embed):
    parts = [ellipse((500, 500), (60, x), (r, r)) for x, r in [(25, 12), (60, 15), (95, 12)]]
    truth = np.any(parts, axis=0)
    previous = MaskPrompt.from_mask(truth[:128, :128], 0, 0)  # makes the model return all of it
    embeddings = embed(truth)

    def found(points, **kwargs):
        prompts = Prompts(points, mask=previous, **kwargs)
        return segment_object(embeddings, prompts, multimask=False).best

    assert iou(found([[60, 25]]), parts[0]) >= 0.95
    assert iou(found([[60, 25], [60, 95]]), parts[0] | parts[2]) >= 0.95
    assert iou(found([[60, 25]], box=(40, 10, 80, 110)), parts[0]) >= 0.95
    assert iou(found([], box=(40, 10, 80, 110)), parts[1]) >= 0.95
    assert iou(found([[110, 110]]), parts[1]) >= 0.95  # beside all parts: the largest
    logits = found([[60, 25]]).logits
    assert iou(mask_from_logits(logits, truth.shape), truth) >= 0.95


@pytest.mark.parametrize("far", [[[60, 60], [60, 150]], [[60, 60], [450, 300]]])
def test_the_window_shows_what_lies_under_all_positive_points(embed, far):
    truth = np.zeros((700, 700), dtype=bool)
    for center in far:
        truth |= ellipse((700, 700), center, (30, 30))
    found = segment_object(embed(truth), Prompts(far))
    assert iou(found.best, truth) >= 0.95


def test_the_tile_is_that_of_the_last_positive_point(embed):
    truth = ellipse((700, 700), (100, 100), (20, 20))
    embeddings = embed(truth)
    found = segment_object(embeddings, Prompts([[95, 95], [111, 111], [60, 60]], [1, 1, 0]))
    assert found.window == embeddings.window_at(111, 111)
    found = segment_object(embeddings, Prompts([[113, 113], [95, 95]]))
    assert found.window == embeddings.window_at(95, 95)


def test_far_negative_points_are_left_out_with_a_note(embed):
    truth = ellipse((900, 900), (60, 60), (20, 20))
    prompts = Prompts([[60, 60], [800, 800], [60, 800], [60, 100]], [1, 0, 0, 0])
    embeddings = embed(truth)
    found = segment_object(embeddings, prompts)
    assert found.note == "2 negative points too far away to matter, left out"
    assert embeddings.model.decoded[-1]["labels"].tolist() == [[1, 0]]
    assert iou(found.best, truth) >= 0.95


def test_near_negative_points_count(embed):
    left, right = (ellipse((300, 300), (60, x), (15, 15)) for x in (40, 80))
    found = segment_object(embed(left | right), Prompts([[60, 40], [60, 80]], [1, 0]))
    assert iou(found.best, left) >= 0.95


@pytest.mark.parametrize(
    ("prompts", "n_masks"),
    [
        (Prompts([[60, 60]]), 3),
        (Prompts(box=(40, 40, 80, 80)), 3),
        (Prompts([[60, 60], [62, 62]]), 1),
        (Prompts([[60, 60]], box=(40, 40, 80, 80)), 1),
        (Prompts([[60, 60]], mask=MaskPrompt.from_mask(np.ones((9, 9), bool), 55, 55)), 1),
        (Prompts([[60, 60], [800, 800]], [1, 0]), 3),  # the far one is not shown to the model
    ],
)
def test_three_candidates_only_for_an_ambiguous_prompt(embed, prompts, n_masks):
    embeddings = embed(ellipse((900, 900), (60, 60), (20, 20)))
    found = segment_object(embeddings, prompts)
    assert len(found) == n_masks
    assert [mask.area for mask in found] == sorted(mask.area for mask in found)
    assert found.best.predicted_iou == pytest.approx(0.9)
    assert len(segment_object(embeddings, prompts, multimask=True)) == 3
    assert len(segment_object(embeddings, prompts, multimask=False)) == 1


def test_nothing_there_is_no_candidate_and_a_note(embed):
    found = segment_object(embed(np.zeros((300, 300), dtype=bool)), Prompts([[60, 60]]))
    assert len(found) == 0
    assert found.note == "nothing found here; add points or draw a box"


def test_empty_masks_are_dropped(embed):
    dot = ellipse((300, 300), (60, 60), (2.5, 2.5))  # the smallest candidate erodes to nothing
    assert len(segment_object(embed(dot), Prompts([[60, 60]]))) == 2


def test_what_came_before_changes_nothing(embed):
    rng = np.random.default_rng(1)
    truth = np.zeros((600, 600), dtype=bool)
    centers = [(80, 80), (80, 200), (300, 120), (300, 330), (480, 480)]
    for center in centers:
        truth |= ellipse(truth.shape, center, rng.uniform(12, 60, size=2))
    shared = embed(truth)
    previous = None
    for center in centers:
        after_others = segment_object(shared, Prompts([center]))
        refined = segment_object(shared, Prompts([center], mask=after_others.best.logits))
        alone = embed(truth)
        for found, prompts in (
            (after_others, Prompts([center])),
            (refined, Prompts([center], mask=after_others.best.logits)),
        ):
            expected = segment_object(alone, prompts)
            assert found.window == expected.window
            for mask, same in zip(found, expected, strict=True):
                assert mask.box == same.box
                assert mask.array.tobytes() == same.array.tobytes()
                assert mask.logits == same.logits
        assert previous is None or previous.best.iou(refined.best) == 0
        previous = refined


def test_a_previous_mask_goes_back_to_the_model_bit_for_bit_in_its_window(embed):
    embeddings = embed(ellipse((500, 500), (60, 60), (20, 20)))
    best = segment_object(embeddings, Prompts([[60, 60]])).best
    segment_object(embeddings, Prompts([[60, 60]], mask=best.logits))
    assert (
        embeddings.model.decoded[-1]["mask"][0, 0].numpy().tobytes() == best.logits.logits.tobytes()
    )


def test_a_previous_mask_travels_to_another_window(embed):
    embeddings = embed(ellipse((500, 500), (112, 112), (40, 40)))
    best = segment_object(embeddings, Prompts([[112, 112]])).best
    box = (10, 10, 400, 400)
    found = segment_object(embeddings, Prompts([[112, 112]], box=box, mask=best.logits))
    assert found.window.step == 4
    given_mask = embeddings.model.decoded[-1]["mask"][0, 0].numpy()
    step = found.window.step * 2
    again = MaskPrompt(given_mask, y=found.window.y, x=found.window.x, step=step)
    inside = again.resample(0, 0, 1, 256) > 0
    assert Mask.from_array(inside).iou(best) > 0.9


def test_planes_of_a_stack(embed):
    truth = np.zeros((3, 300, 300), dtype=bool)
    truth[1] = ellipse((300, 300), (60, 60), (20, 20))
    embeddings = embed(truth, axes="zyx")
    assert iou(segment_object(embeddings, Prompts([[60, 60]]), plane=1).best, truth[1]) >= 0.95
    assert len(segment_object(embeddings, Prompts([[60, 60]]), plane=(2,))) == 0
    with pytest.raises(ValueError, match="no plane 3"):
        segment_object(embeddings, Prompts([[60, 60]]), plane=3)


@pytest.fixture(scope="session")
def all_bright(embed):
    return embed(np.ones((300, 200), dtype=bool))


@settings(max_examples=15)
@example(-0.5, -0.5)
@example(299.49, 199.49)
@given(st.floats(-0.5, 299.49), st.floats(-0.5, 199.49))
def test_every_point_of_the_image_may_be_clicked(all_bright, y, x):
    assert segment_object(all_bright, Prompts([[y, x]])).best.area > 0.999 * 300 * 200


def test_what_is_no_embeddings_or_no_prompts_is_refused(embed):
    embeddings = embed(np.ones((30, 20), dtype=bool))
    with pytest.raises(TypeError, match=r"Expected Embeddings, .* found Image"):
        segment_object(embeddings.image, Prompts([[5, 5]]))
    with pytest.raises(TypeError, match=r"Expected Prompts, .* found list"):
        segment_object(embeddings, [[5, 5]])


@pytest.mark.parametrize(
    ("prompts", "sentence"),
    [
        (Prompts(), "There is no prompt; give at least a positive point or a box"),
        (Prompts([[5, 5]], [0]), "only negative points among the prompts; add a positive"),
        (Prompts(mask=MaskPrompt.from_mask(np.ones((3, 3), bool), 0, 0)), "only a mask"),
        (Prompts([[5, 5], [300, 5]]), r"\(300.0, 5.0\) lies outside the image of 300 rows and 200"),
        (Prompts([[5, 5], [5, -0.6]], [1, 0]), r"\(5.0, -0.6\) lies outside"),
        (Prompts(box=(300, 10, 320, 20)), r"box .* lies outside the image"),
        (Prompts(box=(10, -9, 20, -1)), r"box .* lies outside the image"),
    ],
)
def test_prompts_that_mean_nothing_are_refused(embed, prompts, sentence):
    embeddings = embed(np.ones((300, 200), dtype=bool))
    with pytest.raises(ValueError, match=sentence):
        segment_object(embeddings, prompts)
    assert embeddings.model.n_encoded == 0


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts([[5, 5], [39_000, 38_000]]),
        Prompts([[5, 5]], box=(5, 5, 39_000, 38_000)),
    ],
)
def test_prompts_that_span_too_much_are_refused(embed, prompts):
    huge = open_image(np.broadcast_to(np.uint8(0), (40_000, 40_000)))
    embeddings = Embeddings(huge, embed(np.zeros((9, 9), dtype=bool)).model)
    with pytest.raises(ValueError, match="span 38996 by 37996 pixels, too many for one object"):
        segment_object(embeddings, prompts)
    assert embeddings.model.n_encoded == 0


def test_a_box_that_reaches_out_of_the_image_is_fine(embed):
    truth = ellipse((300, 300), (0, 0), (40, 40))
    found = segment_object(embed(truth), Prompts(box=(-50, -50, 40, 40)))
    assert iou(found.best, truth) >= 0.95
