"""Thresholds on a table give what filtering and suppressing one after the other gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.masks import Mask, MaskTable
from napari_sam.masks.knobs import Knobs, Thresholds
from napari_sam.masks.suppression import suppress

from .tables import shares, squares, tables

thresholds = st.builds(
    Thresholds,
    predicted_iou=st.sampled_from([0, 0.5, 0.75]),
    stability=st.sampled_from([0, 0.5, 0.75]),
    min_area=st.integers(0, 20),
    max_area=st.integers(20, 80),
    overlap=shares,
)


@given(tables, st.lists(thresholds, min_size=1, max_size=4))
def test_rows(table: MaskTable, moves: list[Thresholds]) -> None:
    knobs = Knobs(table)
    for move in moves:
        passing = [
            row
            for row, mask in enumerate(table)
            if move.min_area <= mask.area <= move.max_area
            and not 0 < mask.predicted_iou <= move.predicted_iou
            and not (move.stability > 0 and mask.stability_score < move.stability)
        ]
        expected = np.array(passing, int)[suppress(table.select(passing), move.overlap, "mask")]
        assert knobs.rows(move).tolist() == expected.tolist()


def test_equal_scores() -> None:
    table = squares((0, 0, 2, 2), (5, 5, 7, 7), scores=[0.5, 0.75])
    assert Knobs(table).rows(Thresholds(predicted_iou=0.5)).tolist() == [1]
    steady = Mask.from_array(np.ones((2, 2), bool), predicted_iou=1, stability_score=0.5)
    assert len(Knobs(MaskTable.of([steady])).rows(Thresholds(stability=0.5))) == 1


def test_scores_are_compared_as_they_are_kept() -> None:
    """19 of 20 pixels are a stability of 0.95, in 32 bits too, and that is reached."""
    mask = Mask.from_array(np.ones((4, 5), bool), predicted_iou=0.55, stability_score=19 / 20)
    knobs = Knobs(MaskTable.of([mask]))
    assert len(knobs.rows(Thresholds(stability=0.95))) == 1
    assert len(knobs.rows(Thresholds(predicted_iou=0.55))) == 0


def test_what_is_not_said_is_what_suits_the_model() -> None:
    table = squares((0, 0, 2, 2), (5, 5, 7, 7), (9, 9, 11, 11), scores=[0.5, 0.75, 0.9])
    table = replace(table, accepted=np.array([0.7, 0.0]))
    assert Knobs(table).rows().tolist() == [2, 1]
    assert Knobs(table).rows(Thresholds(max_area=4)).tolist() == [2, 1]
    assert Knobs(table.select([1, 0])).rows().tolist() == [0]
    assert Knobs(MaskTable.concatenate([table, table])).rows(Thresholds(overlap=1)).tolist() == [
        2, 5, 1, 4,
    ]  # fmt: skip
    assert len(Knobs(table).rows(Thresholds(predicted_iou=0))) == 3


def test_no_masks() -> None:
    assert len(Knobs(MaskTable.of()).rows(Thresholds())) == 0


def test_thresholds_that_exclude_all() -> None:
    assert len(Knobs(squares((0, 0, 3, 3))).rows(Thresholds(min_area=10))) == 0


def test_a_part_beside_its_whole_is_a_choice() -> None:
    table = squares((0, 0, 10, 10), (2, 2, 5, 5))
    for by, expected in {"mask": [0, 1], "smaller": [0]}.items():
        assert Knobs(table, by).rows(Thresholds()).tolist() == expected  # type: ignore[arg-type]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="from 50 to 20 pixels"):
        Thresholds(min_area=50, max_area=20)
    with pytest.raises(ValueError, match="overlap is -1"):
        Thresholds(overlap=-1)
