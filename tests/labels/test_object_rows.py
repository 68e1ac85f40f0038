from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.labels.object_rows import find_seams, object_rows
from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.parts import merge_parts, parts_of

SHAPE = (20, 100, 200)

boxes = st.tuples(
    *(st.integers(0, 50) for _ in range(2)), *(st.integers(51, 100) for _ in range(2))
)
records = st.builds(
    ObjectRecord,
    label=st.integers(1, 5),
    plane=st.tuples(st.integers(0, 2), st.integers(0, 6)),
    box=boxes,
    area=st.integers(1, 400),
    predicted_iou=st.floats(0, 1) | st.just(float("nan")),
    is_reviewed=st.booleans(),
)
tables = st.lists(records, unique_by=lambda record: record.key)


def parts(*described, n_leading=1):
    return parts_of([ObjectRecord(*each) for each in described], n_leading)


def rows_of(*described, shape=SHAPE):
    return object_rows(parts(*described, n_leading=len(shape) - 2), shape)


@given(tables, tables, st.booleans())
def test_a_record_wins_over_what_was_counted_but_for_where_it_is(counted, recorded, is_all):
    counted = [replace(each, predicted_iou=np.nan, is_reviewed=False) for each in counted]
    there = {each.key: each for each in counted}
    known = {each.key: each for each in recorded}
    merged = merge_parts(parts_of(counted, 2), parts_of(recorded, 2), is_all_counted=is_all)
    found = [(int(part["label"]), tuple(part["plane"].tolist())) for part in merged]
    assert found == sorted(there if is_all else there | known)
    for key, part in zip(found, merged, strict=True):
        assert part["area"] == (known | there)[key].area
        assert tuple(part["box"]) == (known | there)[key].box
        assert part["is_reviewed"] == (there | known)[key].is_reviewed
        assert np.array_equal(
            part["predicted_iou"], (there | known)[key].predicted_iou, equal_nan=True
        )


@given(tables)
def test_a_row_sums_up_what_an_object_has_on_its_planes(found):
    rows = object_rows(parts_of(found, 2), (3, 7, 100, 200))
    assert rows["label"].tolist() == sorted({each.label for each in found})
    for row in rows:
        own = [each for each in found if each.label == row["label"]]
        assert row["n_planes"] == len(own)
        assert row["area"] == sum(each.area for each in own)
        assert row["is_reviewed"] == all(each.is_reviewed for each in own)
        planes = np.array([each.plane for each in own])
        assert (row["first"] == planes.min(axis=0)).all()
        assert (row["last"] == planes.max(axis=0)).all()
        scores = [each.predicted_iou for each in own if not np.isnan(each.predicted_iou)]
        assert np.array_equal(row["predicted_iou"], min(scores, default=np.nan), equal_nan=True)
        times = {t: [z for s, z in planes.tolist() if s == t] for t, _ in planes.tolist()}
        missing = [z for zs in times.values() for z in range(min(zs), max(zs)) if z not in zs]
        assert row["n_missing"] == len(missing)
        assert (row["missing"] in missing) if missing else (row["missing"] == -1)
        assert row["plane"].tolist() in planes.tolist()


def test_one_looks_where_the_model_was_least_sure_or_where_the_object_is_largest():
    box = (2, 2, 9, 9)
    assert rows_of((1, (3,), box, 9), (1, (4,), box, 20), (1, (5,), box, 8))["plane"] == [[4]]
    at = {3: 0.9, 4: float("nan"), 5: 0.4}
    found = [ObjectRecord(1, (z,), box, 9, predicted_iou=score) for z, score in at.items()]
    assert object_rows(parts_of(found, 1), SHAPE)["plane"].tolist() == [[5]]


def test_at_the_border_of_the_image():
    inside, outside = (1, 1, 99, 199), [(0, 5, 9, 9), (5, 0, 9, 9), (90, 5, 100, 9), (5, 5, 9, 200)]
    assert rows_of((1, (3,), inside, 4))["is_at_border"].tolist() == [False]
    for box in outside:
        assert rows_of((1, (3,), inside, 4), (1, (4,), box, 4))["is_at_border"].tolist() == [True]


def test_without_objects_or_leading_axes():
    assert len(rows_of()) == 0
    (row,) = rows_of((3, (), (1, 2, 5, 9), 20), shape=(100, 200))
    assert (row["area"], row["n_planes"], row["n_missing"]) == (20, 1, 0)
    assert row["filled"] == 20 / 28


def scattered(rng, n=300, shape=(2000, 2000)):
    corners = rng.integers(1, 1950, (n, 2))
    ends = np.minimum(corners + rng.integers(5, 40, (n, 2)), np.array(shape) - 1)
    return np.concatenate([corners, ends], axis=1)


def seams_of(boxes):
    described = [(i + 1, (), tuple(box), 9) for i, box in enumerate(boxes.tolist())]
    rows, columns = find_seams(parts(*described, n_leading=0), (2000, 2000))
    return rows.tolist(), columns.tolist()


@given(st.integers(0, 2**32 - 1))
def test_objects_that_were_cut_where_tiles_meet_show_it(seed):
    boxes = scattered(np.random.default_rng(seed))
    assert seams_of(boxes) == ([], [])
    above, below = boxes[:9], boxes[9:18]
    heights = 3 * np.arange(9) + 4
    above[:, 0], above[:, 2] = 512 - heights, 512
    below[:, 0], below[:, 2] = 512, 512 + heights
    assert seams_of(boxes) == ([512], [])


def test_the_border_of_the_image_is_no_seam():
    boxes = np.array([(0, 10 * i + 1, 7 + i, 10 * i + 8) for i in range(100)])
    assert seams_of(boxes) == ([], [])
