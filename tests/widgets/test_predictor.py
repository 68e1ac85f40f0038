"""What is told while model and image are opened, and what is not tried in vain."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from napari_sam.image import open_image
from napari_sam.prompts import Prompts
from napari_sam.widgets.cores import Cores, apply_cores
from napari_sam.widgets.predictor import Lazy, Predictor, Request, lazy_model


def fail():
    raise ValueError("The weights are damaged.")


@pytest.fixture
def prompts():
    return Prompts().with_point(50, 60, True)


def test_the_image_is_described_once_it_is_measured(model, prompts):
    picture = np.full((200, 240), 7.0, np.float32)
    picture[:20] = np.nan
    predictor = Predictor(open_image(picture), Lazy(lambda: model), "discs")
    assert predictor.notes == ""
    Request(predictor, prompts, ()).answer()
    assert predictor.notes.startswith("Image: ")
    predictor.warnings.append("It is slow.")
    assert predictor.notes.endswith("\nIt is slow.")


def test_hovering_does_not_open_a_damaged_model_again_but_a_click_does(picture, prompts):
    tries = []

    def load():
        tries.append(1)
        fail()

    predictor = Predictor(open_image(picture), Lazy(load), "broken")
    hover, click = (Request(predictor, prompts, (), is_hover) for is_hover in (True, False))
    with pytest.raises(ValueError, match="damaged"):
        list(hover.iter_answer())
    assert list(hover.iter_answer()) == []
    assert len(tries) == 1
    with pytest.raises(ValueError, match="damaged"):
        list(click.iter_answer())
    assert len(tries) == 2


def test_what_is_in_memory_is_kept_elsewhere_too(model, picture, prompts, tmp_path):
    predictor = Predictor(open_image(picture), Lazy(lambda: model), "discs")
    Request(predictor, prompts, ()).answer()
    n_encoded = model.n_encoded
    for store in (None, tmp_path / "here.zarr"):
        Request(predictor.kept_in(store), prompts, ()).answer()
    assert model.n_encoded == n_encoded


@pytest.mark.parametrize(("name", "is_fitted"), [("nano", False), ("vit_b", True)])
def test_only_models_that_are_fitted_take_longer_the_first_time(picture, name, is_fitted):
    predictor = Predictor(open_image(picture), Lazy(fail), name)
    sentence = next(predictor.iter_answer())
    assert sentence.startswith(f"Opening the model {name}")
    assert ("first time" in sentence) == is_fitted


def test_a_model_is_shared_while_somebody_has_it(model):
    first = lazy_model("vit_b")
    assert lazy_model("vit_b") is first
    assert lazy_model("vit_l") is not first
    assert lazy_model(model) is not lazy_model(model)
    known = id(first)
    kept = [first]
    del first
    gc.collect()
    assert id(lazy_model("vit_b")) == known
    assert kept


def test_torch_is_left_alone_until_cores_are_chosen(monkeypatch):
    import torch

    threads = [5]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    cores, changes = Cores(), []
    cores.changed.connect(lambda: changes.append(cores.chosen))
    cores.apply()
    assert threads == [5]
    cores.chosen = 2
    assert threads == [5]  # only in the thread that computes
    cores.apply()
    cores.apply()
    assert threads == [5, 2]
    cores.chosen = None
    cores.apply()
    assert threads == [5, 2, 5]
    assert changes == [2, None]
    cores.apply(n_spared=1)
    cores.apply(n_spared=9)
    assert threads[3:] == [4, 1]
    cores.chosen = 3
    cores.apply(n_spared=1)
    assert threads[-1] == 3  # two are left already


@pytest.mark.parametrize(("is_quick", "n_cores"), [(True, 3), (False, 4)])
def test_small_layers_leave_a_core_to_the_window(monkeypatch, model, is_quick, n_cores):
    import torch

    threads = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr("napari_sam.widgets.cores.cores", Cores())
    monkeypatch.setattr(model, "encodes_quickly", is_quick)
    apply_cores(model)
    assert threads[-1] == n_cores
