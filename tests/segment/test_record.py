"""The record of a run, and of what continued it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import load_model
from napari_sam.segment import SegmentSettings, find, read_record, record
from napari_sam.segment.output import OtherRunError
from napari_sam.segment.stack import iter_segment_stack, prepare_run, segment_stack

from . import blobs

PIXELS = blobs.paint_discs((150, 180), [(40, 52, 6), (100, 60, 40)])


def test_a_run_that_goes_on_elsewhere_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    out = tmp_path / "labels.zarr"
    for python in ("3.11.1", "3.11.1", "3.13.2", "3.13.2"):
        monkeypatch.setattr("platform.python_version", lambda python=python: python)
        run = iter_segment_stack(blobs.embed(PIXELS), out)
        next(run)
        run.close()
    monkeypatch.setattr("platform.python_version", lambda: "3.11.1")
    segment_stack(blobs.embed(PIXELS), out)
    found = read_record(out) or {}
    assert found["made_with"]["python"] == "3.11.1"
    assert [one["python"] for one in found["continued_with"]] == ["3.13.2"]
    assert segment_stack(blobs.embed(PIXELS), out).data[:].any(), "it is complete"


def test_another_precision_is_another_run(tmp_path: Path) -> None:
    image, out = open_image(PIXELS), tmp_path / "labels.zarr"
    exact, rounded = (
        Embeddings(image, load_model("nano", device="cpu", precision=precision))
        for precision in ("float32", "bfloat16")
    )
    segment_stack(rounded, out)
    assert (read_record(out) or {})["precision"] == "bfloat16"
    message = r"precision of the image encoder \(found bfloat16, expected float32\)"
    with pytest.raises(OtherRunError, match=message):
        segment_stack(exact, out)


def test_what_the_last_digits_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = load_model("nano", device="cpu"), open_image(np.zeros((64, 64), np.uint8))
    monkeypatch.setattr(record, "upscaling_dtype", lambda model: torch.bfloat16)

    def computing(store: Path | None, mode: str, exact: bool = False) -> dict[str, str | None]:
        settings = SegmentSettings.from_dict({"find": {"mode": mode, "exact": exact}})
        embeddings = Embeddings(image, model, store=store)
        run = prepare_run(embeddings, tmp_path / "a.zarr", None, None, settings, None)
        return record.describe_computing(run)

    found = computing(tmp_path / "tiles", "seeds")
    assert [found[name] for name in ("device", "backend", "stored", "upscaling")] == [
        "cpu",
        "torch",
        "float16",
        None,
    ]
    assert (computing(None, "grid")["upscaling"], computing(None, "grid")["stored"]) == (
        "bfloat16",
        None,
    )
    assert computing(None, "grid", exact=True)["upscaling"] is None
