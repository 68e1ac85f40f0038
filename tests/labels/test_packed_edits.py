"""Edits in little memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.labels.packed_edits import PackedEdits
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Mask


@given(
    arrays(np.uint16, (9, 11), elements=st.integers(0, 3)),
    arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.sampled_from(["keep", "replace", "erase"]),
)
def test_it_writes_and_takes_back_the_same(labels, mask, rule):
    before = labels.copy()
    edit = plan_mask(labels, Mask.from_array(mask, 2, 1), 7, overlap=rule)
    (unpacked,) = PackedEdits.of([edit]).unpack()
    edit.write(labels)
    after = labels.copy()
    unpacked.possible(before).write(before)
    assert np.array_equal(before, after)
    unpacked.inverse().possible(labels).write(labels)
    assert np.array_equal(labels, plan_before(edit, after))


@given(arrays(np.uint8, (3, 6, 7), elements=st.integers(0, 2)), arrays(bool, (4, 4)))
def test_several_come_back_each_on_its_plane(labels, mask):
    planned = Mask.from_array(mask, 1, 2)
    edits = [plan_mask(labels, planned, 7, plane=z, overlap="replace") for z in (0, 2)]
    expected = labels.copy()
    for edit in edits:
        edit.write(expected)
    for edit in PackedEdits.of(edits).unpack():
        edit.possible(labels).write(labels)
    assert np.array_equal(labels, expected)


def plan_before(edit, after):
    labels = after.copy()
    labels[edit.region] = edit.before
    return labels


def test_it_is_small():
    rows, columns = np.ogrid[:500, :500]
    disc = (rows - 250) ** 2 + (columns - 250) ** 2 < 240**2
    edit = plan_mask(np.zeros((600, 600), np.uint32), Mask.from_array(disc), 70_000)
    packed = PackedEdits.of([edit])
    size = sum(len(str(part)) for part in (packed.before, packed.after))
    assert size < 0.02 * (edit.before.nbytes + edit.changed.nbytes)
