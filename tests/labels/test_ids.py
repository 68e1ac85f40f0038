from __future__ import annotations

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_sam.labels import LabelIds, next_label


@pytest.mark.parametrize("shape", [(30, 40), (3, 30, 40), (2, 3, 30, 40), (0, 30, 40)])
def test_the_next_label_is_one_more_than_the_highest(shape):
    labels = np.zeros(shape, dtype=np.int32)
    assert next_label(labels) == 1
    if labels.size:
        labels[..., -1, -1] = -5
        assert next_label(labels) == 1
        labels[..., 7, 9] = 300
        assert next_label(labels) == 301


@pytest.mark.parametrize("layout", [{"zarr_format": 2}, {"shards": (2, 2000, 2000)}, {}])
@pytest.mark.parametrize("name", [None, "a/labels"])
def test_of_a_huge_zarr_array_only_the_stored_chunks_are_read(layout, name, monkeypatch):
    labels = zarr.create_array(
        MemoryStore(), name=name, shape=(500, 10**6, 10**6), chunks=(1, 500, 500), dtype="uint16",
        fill_value=0, **layout,
    )  # fmt: skip
    assert next_label(labels) == 1
    labels[3, 999_990:, 999_990:] = 17
    labels[400, 10:20, 10:20] = 5
    n_read = []
    read = zarr.Array.__getitem__
    monkeypatch.setattr(
        zarr.Array, "__getitem__", lambda a, region: n_read.append(1) or read(a, region)
    )
    assert next_label(labels) == 18
    assert len(n_read) == 2


def test_what_is_not_stored_holds_the_fill_value():
    labels = zarr.create_array(
        MemoryStore(), shape=(90, 90), chunks=(30, 30), dtype="uint8", fill_value=9
    )
    assert next_label(labels) == 10
    labels[:3, :3] = 4
    assert next_label(labels) == 10


def test_numbers_are_counted_up_without_looking_again():
    labels = np.zeros((30, 40), dtype=np.uint16)
    labels[3, 3] = 7
    ids = LabelIds(labels)
    assert ids.next == ids.next == 8
    ids.use(8)
    assert ids.next == 9
    ids.use(3)  # an older object again
    assert ids.next == 9
    assert LabelIds(labels, highest=100).next == 101


def test_a_full_type_says_so():
    labels = np.full((4, 4), 255, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"uint8 and hold 255, .*convert them to a wider"):
        next_label(labels)


def test_labels_are_integers():
    with pytest.raises(TypeError, match="float64"):
        LabelIds(np.zeros((4, 4)))
