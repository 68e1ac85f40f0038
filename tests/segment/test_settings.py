"""Settings say what is wrong with them, and can be written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from napari_sam.segment.settings import SEED_IOU, FindSettings, LinkSettings, SegmentSettings

from .blobs import PixelModel


def test_they_are_written_and_read() -> None:
    settings = SegmentSettings(
        find=FindSettings(mode="grid", min_area=20, step=2), link=LinkSettings(axis="t")
    )
    entries = json.loads(json.dumps(settings.to_dict()))
    assert SegmentSettings.from_dict(entries) == settings
    assert "max_area" not in entries["find"], "TOML knows no None"
    assert SegmentSettings.from_dict({}) == SegmentSettings()


def test_defaults_suit_the_model() -> None:
    model = PixelModel()
    seeds = FindSettings().resolved(model, 0.5)
    assert (seeds.mode, seeds.pred_iou, seeds.stability) == ("seeds", SEED_IOU, 0)
    assert (seeds.overlap, seeds.step) == (0.5, 0.5)
    watershed = FindSettings(mode="watershed").resolved(model, 0.5)
    assert (watershed.pred_iou, watershed.stability) == (0, 0)
    model.has_instance_maps = False
    model.accepted_iou = 0.7
    grid = FindSettings(stability=0.8).resolved(model, 1)
    assert (grid.mode, grid.pred_iou, grid.stability, grid.overlap) == ("grid", 0.7, 0.8, 0.5)
    assert grid.for_grid().pred_iou == 0.7
    assert grid.resolved(model, 2) == grid


def test_links_are_along_z_if_there_is_one() -> None:
    assert (LinkSettings().resolved("tz").axis, LinkSettings().resolved("tz").is_linked) == (
        "z",
        True,
    )
    assert not LinkSettings().resolved("t").is_linked
    assert LinkSettings(min_extent=3).resolved("z").min_extent == 3
    assert LinkSettings(min_extent=3).resolved("").min_extent == 1, "a plane alone"
    with pytest.raises(ValueError, match=r"along z: the image has the axes 't' and rows"):
        LinkSettings(axis="z").resolved("t")
    with pytest.raises(ValueError, match=r"along t: the image has only rows and columns"):
        LinkSettings(axis="t").resolved("")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "magic"}, r"mode is 'magic'; expected one of grid, seeds, watershed"),
        ({"pred_iou": 88}, r"pred_iou is 88; expected from 0 to 1"),
        ({"points_per_side": 0}, r"points_per_side is 0; expected from 1"),
        ({"min_area": -1}, r"min_area is -1; expected at least 0"),
        ({"min_area": 50, "max_area": 10}, r"no object would pass: raise the one"),
        ({"step": 3}, r"step is a power of two .* found 3"),
    ],
)
def test_what_cannot_be_found(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FindSettings(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": "c"}, r"axis is 'c'; expected one of z, t"),
        ({"max_gap": -1}, r"max_gap is -1"),
        ({"max_growth": 0.5}, r"max_growth is 0.5; expected at least 1"),
        ({"min_extent": 0}, r"min_extent is 0"),
    ],
)
def test_what_cannot_be_linked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinkSettings(**options)


def test_unknown_entries() -> None:
    with pytest.raises(ValueError, match=r"no setting 'treshold' among the FindSettings"):
        SegmentSettings.from_dict({"find": {"treshold": 1}})
    with pytest.raises(TypeError, match=r"overlap is '0.5'; expected a number"):
        SegmentSettings.from_dict({"find": {"overlap": "0.5"}})


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"find": 3}, r"The FindSettings are 3; expected a table"),
        ({"find": {"exact": "no"}}, r"exact is 'no'; expected true or false"),
        ({"find": {"points_per_side": 3.5}}, r"points_per_side is 3.5; expected a whole number"),
        ({"find": {"step": "2"}}, r"step is '2'; expected a number"),
        ({"find": {"max_area": "9"}}, r"max_area is '9'; expected a number"),
        ({"link": {"max_gap": 1.5}}, r"max_gap is 1.5; expected a whole number"),
    ],
)
def test_entries_of_another_kind(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        SegmentSettings.from_dict(entries)


def test_settings_in_the_place_of_others() -> None:
    with pytest.raises(TypeError, match=r"find is LinkSettings\(.*\); expected FindSettings"):
        SegmentSettings(find=LinkSettings())  # type: ignore[arg-type]
