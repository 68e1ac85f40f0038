from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.labels import Edit
from napari_sam.labels.patch import Patch


@st.composite
def edits(draw, dtype):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    few = draw(st.lists(hnp.from_dtype(np.dtype(dtype)), min_size=1, max_size=3))
    arrays = hnp.arrays(dtype, shape, elements=st.sampled_from(few))
    changed = draw(hnp.arrays(bool, shape))
    y, x, z = draw(st.tuples(*[st.integers(0, 5)] * 3))
    region = (z, slice(y, y + shape[0]), slice(x, x + shape[1]))
    before = draw(arrays)
    after = draw(st.one_of(arrays, st.integers(1, int(np.iinfo(dtype).max))))
    if isinstance(after, np.ndarray):
        after = np.where(changed, after, before)
    return Edit(region, changed, before, after)


def on_several_planes(dtype):
    return st.lists(edits(dtype), min_size=1, max_size=3, unique_by=lambda edit: edit.region[0])


@given(st.sampled_from(["uint8", "int16", "uint16", "uint32"]).flatmap(on_several_planes))
def test_a_patch_read_again_writes_what_the_edits_wrote(done):
    text = json.dumps(Patch.of(done).to_json())
    labels = np.zeros((6, 20, 20), done[0].before.dtype)
    for edit in done:
        labels[edit.region] = edit.before
    expected = labels.copy()
    for edit in done:
        edit.redo(expected)
    Patch.from_json(json.loads(text)).write(labels)
    np.testing.assert_array_equal(labels, expected)
    Patch.from_json(json.loads(text)).write(labels)
    np.testing.assert_array_equal(labels, expected)


@given(st.sampled_from(["uint8", "int16", "uint32"]).flatmap(on_several_planes), st.data())
def test_over_other_pixels_only_those_are_written_that_hold_what_they_held(done, data):
    text = json.dumps(Patch.of(done, keeps_before=True).to_json())
    labels = np.zeros((6, 20, 20), done[0].before.dtype)
    for edit in done:
        is_same = data.draw(hnp.arrays(bool, edit.before.shape))
        labels[edit.region] = np.where(is_same, edit.before, 77)
    expected = labels.copy()
    for edit in done:
        edit.possible(expected).write(expected)
    Patch.from_json(json.loads(text)).write_over(labels)
    np.testing.assert_array_equal(labels, expected)


def test_the_way_back_is_a_patch_too():
    labels = np.arange(100, dtype=np.uint16).reshape(10, 10)
    edit = Edit((slice(0, 10), slice(0, 10)), labels % 3 == 0, labels.copy(), 7)
    before = labels.copy()
    edit.redo(labels)
    Patch.of([edit.inverse()]).write(labels)
    np.testing.assert_array_equal(labels, before)


def test_an_object_takes_a_few_hundred_bytes_and_a_plane_of_them_is_small():
    y, x = np.ogrid[:100, :100]
    disk = (y - 50) ** 2 + (x - 50) ** 2 < 2500
    region = (slice(0, 100), slice(0, 100))
    one = Edit(region, disk, np.zeros((100, 100), np.uint16), 1)
    assert len(json.dumps(Patch.of([one]).to_json())) < 700
    many = np.kron(np.arange(1, 401).reshape(20, 20), disk).astype(np.uint16)
    region = (slice(0, 2000), slice(0, 2000))
    edit = Edit(region, many > 0, np.zeros((2000, 2000), np.uint16), many)
    assert len(json.dumps(Patch.of([edit]).to_json())) < many.nbytes / 50


@given(
    st.sampled_from(["regions", "changed", "dtype", "values", "runs"]),
    st.sampled_from([None, "", "eA==", [[0, 3]], 5, "uint8"]),
)
def test_a_damaged_patch_is_never_taken_for_a_whole_one(name, value):
    from napari_sam.labels.journal_entry import UNREADABLE

    edit = Edit((slice(0, 4), slice(0, 4)), np.eye(4, dtype=bool), np.zeros((4, 4), "u2"), 300)
    entries = Patch.of([edit]).to_json()
    if entries[name] == value:
        return
    try:
        patch = Patch.from_json(entries | {name: value})
    except UNREADABLE:
        return
    # What still can be read has as many pixels as it says.
    assert patch.changed.sum() == len(patch.values)
