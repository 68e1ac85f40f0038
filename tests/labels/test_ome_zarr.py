from __future__ import annotations

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_sam.labels import create_labels, open_labels


def test_it_is_a_valid_ome_zarr_label_image(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    created = create_labels(
        path, (5, 1100, 700), scale=(2, 0.5, 0.25), units=("micrometer",) * 3, dtype="uint32"
    )
    assert [level.shape for level in created.levels] == [
        (5, 1100, 700),
        (5, 550, 350),
        (5, 275, 175),
    ]
    assert created.data.dtype == np.uint32
    assert created.data.chunks == (1, 512, 512)
    created.data[3, 100:200, 100:200] = 70_000
    created.update()

    group = yaozarrs.validate_zarr_store(str(path))
    image = group.ome_metadata()
    assert isinstance(image, yaozarrs.v05.LabelImage)
    multiscale = image.multiscales[0]
    assert [(axis.name, axis.type, axis.unit) for axis in multiscale.axes] == [
        (axis, "space", "micrometer") for axis in "zyx"
    ]
    coarsest = multiscale.datasets[-1]
    assert coarsest.scale_transform.scale == [2, 2, 1]
    # The center of the first pixel lies 1.5 fine pixels from that of the first fine one.
    assert coarsest.translation_transform.translation == [0, 0.75, 0.375]


def test_labels_of_an_image_are_listed_there(tmp_path):
    for name in ("cells", "nuclei"):
        create_labels(tmp_path / "image.zarr" / "labels" / name, (64, 64))
    labels = zarr.open_group(tmp_path / "image.zarr" / "labels", mode="r")
    assert labels.attrs["ome"] == {"version": "0.5", "labels": ["cells", "nuclei"]}
    yaozarrs.validate_zarr_store(str(tmp_path / "image.zarr" / "labels"))


def test_it_opens_again(tmp_path):
    created = create_labels(
        tmp_path / "a.zarr", (2, 3, 600, 600), axes="tzyx", chunks=(1, 1, 99, 99)
    )
    created.data[1, 2, 300:310, 500:] = 4
    created.update()
    opened = open_labels(tmp_path / "a.zarr")
    assert len(opened.levels) == len(created.levels) == 4
    np.testing.assert_array_equal(opened.levels[1][1, 2], created.levels[1][1, 2])
    opened.data[0, 0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        open_labels(tmp_path / "a.zarr", mode="r").data[0, 0, 0, 0] = 2


def test_a_small_plane_has_one_level(tmp_path):
    assert len(create_labels(tmp_path / "a.zarr", (512, 512)).levels) == 1


def test_a_level_that_is_a_group_is_named(tmp_path):
    created = create_labels(tmp_path / "a.zarr", (64, 64))
    created.group.create_group("1")
    ome = dict(created.group.attrs["ome"])
    ome["multiscales"][0]["datasets"].append({"path": "1"})
    created.group.attrs["ome"] = ome
    with pytest.raises(ValueError, match=r"'1', listed as a level .* is not an array"):
        open_labels(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("shape", "arguments", "error", "sentence"),
    [
        ((64,), {}, ValueError, "expected 2 to 5 axes"),
        ((0, 64), {}, ValueError, "none of them empty"),
        ((64, 64), {"axes": "xy"}, ValueError, "ending in 'yx'"),
        ((4, 64, 64), {"axes": "qyx"}, ValueError, "letters of 'tczyx'"),
        ((4, 64, 64), {"axes": "yx"}, ValueError, "3 axes, and axes has 2 entries"),
        ((64, 64), {"scale": (1, 1, 1)}, ValueError, "scale has 3 entries"),
        ((64, 64), {"scale": (0, 1)}, ValueError, "sizes above 0"),
        ((64, 64), {"units": ("micrometer",)}, ValueError, "units has 1 entries"),
        ((64, 64), {"chunks": (0, 64)}, ValueError, "at least 1"),
        ((64, 64), {"dtype": "float32"}, TypeError, "float32; labels are integers"),
    ],
)
def test_bad_layouts_are_refused_before_anything_is_written(
    tmp_path, shape, arguments, error, sentence
):
    with pytest.raises(error, match=sentence):
        create_labels(tmp_path / "a.zarr", shape, **arguments)
    assert not (tmp_path / "a.zarr").exists()


def test_nothing_is_overwritten(tmp_path):
    create_labels(tmp_path / "a.zarr", (64, 64)).data[3, 3] = 1
    with pytest.raises(FileExistsError, match="open it with open_labels"):
        create_labels(tmp_path / "a.zarr", (64, 64))
    assert open_labels(tmp_path / "a.zarr").data[3, 3] == 1


def test_other_things_are_no_label_image(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_labels(tmp_path / "missing.zarr")
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(ValueError, match=r"not an OME-Zarr 0\.5 label image"):
        open_labels(tmp_path / "group.zarr")


def test_shards_hold_many_chunks(tmp_path):
    labels = create_labels(tmp_path / "a.zarr", (100, 130), chunks=(16, 16), shards=(64, 64))
    labels.data[70:90, 70:120] = 3
    assert [f.name for f in (tmp_path / "a.zarr/0/c").rglob("*") if f.is_file()] == ["1"]
    assert labels.stored_parts(1) == [(0, 0)]
    labels.update_part(1, (0, 0))
    assert np.array_equal(labels.levels[1][:] == 3, labels.data[::2, ::2] == 3)
    with pytest.raises(ValueError, match=r"shards \(60, 64\) are no multiple of the chunks"):
        create_labels(tmp_path / "b.zarr", (100, 130), chunks=(16, 16), shards=(60, 64))
    assert not (tmp_path / "b.zarr").exists()
