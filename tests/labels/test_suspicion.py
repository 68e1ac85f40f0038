from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.labels.object_rows import object_rows
from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.parts import parts_of
from napari_sam.labels.suspicion import UsualSize, reasons, suspicion

SHAPE = (30, 1000, 1000)
GOOD = {"area": 900, "predicted_iou": 0.95, "stability_score": 0.97}


def record(label, z=4, box=(10, 10, 41, 41), **known):
    return ObjectRecord(label, (z,), box, **GOOD | known)


def judge(*records):
    rows = object_rows(parts_of(records, 1), SHAPE)
    usual = UsualSize.of(rows["area"])
    return suspicion(rows, usual), [reasons(rows, i, usual) for i in range(len(rows))]


OTHERS = [record(label, area=900 + label) for label in range(10, 40)]
"""So many that are fine that one more changes nothing of what is usual."""


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ([record(1)], []),
        ([record(1, predicted_iou=0.41)], ["low IoU 0.41"]),
        ([record(1, stability_score=0.5)], ["low stability 0.50"]),
        ([record(1, area=2760, box=(10, 10, 90, 90))], ["3× usual size"]),
        ([record(1, area=180, box=(10, 10, 24, 24))], ["1/5 usual size"]),
        ([record(1, box=(0, 10, 41, 41))], ["touches the border"]),
        ([record(1, area=460), record(1, 6, area=460)], ["gap at plane 5"]),
        ([record(1, area=460), record(1, 9, area=460)], ["gap at plane 5 and 3 more"]),
        ([record(1, box=(10, 10, 90, 90))], ["fills 14% of its box"]),
        (
            [record(1, box=(0, 10, 41, 41), predicted_iou=0.3)],
            ["low IoU 0.30", "touches the border"],
        ),
    ],
)
def test_why(odd, said):
    scores, why = judge(*odd, *OTHERS)
    assert why[0] == said
    assert (scores[0] > 0) == bool(said)
    assert not scores[1:].any()


def test_objects_that_end_at_a_seam():
    rows = object_rows(
        parts_of([record(1), record(2, box=(41, 9, 60, 60))], 1), SHAPE, (np.array([41]), [])
    )
    assert [reasons(rows, i, None) for i in range(2)] == [["ends at a seam of tiles"]] * 2


def test_what_is_unknown_is_not_held_against_an_object():
    scores, why = judge(record(1, predicted_iou=np.nan, stability_score=np.nan))
    assert scores.tolist() == [0]
    assert why == [[]]


objects = st.builds(
    record,
    label=st.integers(1, 12),
    z=st.integers(0, 9),
    box=st.sampled_from([(0, 5, 50, 50), (10, 10, 41, 41), (3, 3, 900, 900)]),
    area=st.integers(1, 100_000),
    predicted_iou=st.floats(0, 1.2) | st.just(np.nan),
    stability_score=st.floats(0, 1) | st.just(np.nan),
)
tables = st.lists(objects, min_size=1, unique_by=lambda each: each.key)


@given(tables)
def test_suspicion_is_a_share_and_never_without_a_reason(table):
    scores, why = judge(*table)
    assert ((scores >= 0) & (scores < 1)).all()
    assert [score > 0 for score in scores] == [bool(phrases) for phrases in why]


@given(tables, st.floats(0, 1), st.floats(0, 1))
def test_less_sure_is_never_less_suspicious(table, one, two):
    label = table[0].label
    rest = [each for each in table if each.label != label]
    index = sum({each.label < label for each in rest}) and len(
        {each.label for each in rest if each.label < label}
    )
    lower, higher = (
        judge(record(label, predicted_iou=iou), *rest)[0][index] for iou in sorted((one, two))
    )
    assert lower >= higher


@given(tables, st.integers(2, 50))
def test_the_unit_of_area_changes_nothing(table, factor):
    rows = object_rows(parts_of(table, 1), SHAPE)
    larger = rows.copy()
    larger["area"] *= factor
    scores = [suspicion(each, UsualSize.of(each["area"])) for each in (rows, larger)]
    np.testing.assert_allclose(*scores, atol=1e-9)


@given(tables, st.randoms(use_true_random=False))
def test_the_order_in_which_objects_were_made_changes_nothing(table, random):
    shuffled = random.sample(table, len(table))
    assert judge(*table)[1] == judge(*shuffled)[1]


def test_too_few_objects_tell_nothing_of_size():
    assert UsualSize.of(np.array([5, 5, 5, 900])) is None
    assert UsualSize.of(np.array([5, 5, 5, 5, 900])) is not None
