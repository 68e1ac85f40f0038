"""Reading labeled images: archives, folders of TIFF files, OME-Zarr images with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam.train.files import iter_labeled
from napari_sam.train.planes import read_folder

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 255, (64, 80), dtype=np.uint8)
LABELS = np.zeros((64, 80), np.int32)
LABELS[5:25, 10:30] = 1
LABELS[40:60, 50:70] = 2


def write_ome_zarr(path: Path, image: np.ndarray, labels: np.ndarray, axes: str) -> None:
    """Write one level and one label image, in OME-Zarr 0.4."""

    def write(group: zarr.Group, array: np.ndarray, axes: str) -> None:
        group.create_array("0", data=array)
        described = [
            {"name": a, "type": {"c": "channel", "t": "time"}.get(a, "space")} for a in axes
        ]
        scale = [{"type": "scale", "scale": [1.0] * array.ndim}]
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": described, "datasets": datasets}]

    root = zarr.create_group(path, zarr_format=2)
    write(root, image, axes)
    names = root.create_group("labels")
    names.attrs["labels"] = ["cells"]
    write(names.create_group("cells"), labels, axes[-labels.ndim :])


def test_archives(tmp_path: Path) -> None:
    volume, volume_labels = np.repeat(IMAGE[None], 70, axis=0), np.repeat(LABELS[None], 70, axis=0)
    np.savez(tmp_path / "flat.npz", image_000=IMAGE, label_000=LABELS, label2_000=LABELS > 0)
    np.savez(tmp_path / "volume.npz", image_000=volume, label_000=volume_labels)
    sources = read_folder(tmp_path)
    assert sources["flat"][0].n_objects == 2
    assert sources["flat"][0].diameter == pytest.approx(22.6, abs=0.1)
    assert sources["flat"][0].labels[1].max() == 1
    assert len(sources["volume"]) > 20


def test_folders_of_tiff_files(tmp_path: Path) -> None:
    for kind, array in (("images", IMAGE), ("labels", LABELS), ("labels2", LABELS * 3)):
        (tmp_path / "cells" / kind).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "cells" / kind / "a.tif", array)
    (plane,) = read_folder(tmp_path)["cells"]
    assert np.array_equal(plane.labels[0], LABELS)
    assert np.array_equal(plane.labels[1], LABELS * 3)
    (labeled,) = iter_labeled(tmp_path / "cells")
    assert np.array_equal(labeled.image, IMAGE)


def test_ome_zarr_with_labels(tmp_path: Path) -> None:
    color = np.stack([IMAGE, IMAGE // 2, 255 - IMAGE])
    write_ome_zarr(tmp_path / "alone.zarr", IMAGE[None], LABELS, "cyx")
    write_ome_zarr(tmp_path / "several" / "a.ome.zarr", color, LABELS, "cyx")
    sources = read_folder(tmp_path)
    assert sources["alone"][0].image.shape == (64, 80, 1)
    assert np.array_equal(sources["alone"][0].labels[0], LABELS)
    (labeled,) = iter_labeled(tmp_path / "several")
    assert np.array_equal(labeled.image, np.moveaxis(color, 0, -1))


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \.npz"):
        read_folder(tmp_path)
    wrong = {"shape": LABELS[:-1], "kind": LABELS * 0.5}
    for name, labels in wrong.items():
        np.savez(tmp_path / f"{name}.npz", image_000=IMAGE, label_000=labels)
    with pytest.raises(ValueError, match="must agree"):
        list(iter_labeled(tmp_path / "shape.npz"))
    with pytest.raises(ValueError, match="float64; expected whole"):
        list(iter_labeled(tmp_path / "kind.npz"))
    np.savez(tmp_path / "alone.npz", image_000=IMAGE)
    with pytest.raises(ValueError, match="no label_000"):
        list(iter_labeled(tmp_path / "alone.npz"))
    (tmp_path / "folder" / "images").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "folder" / "images" / "a.tif", IMAGE)
    with pytest.raises(ValueError, match="has no labels"):
        list(iter_labeled(tmp_path / "folder"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="no source"):
        list(iter_labeled(tmp_path / "nothing"))
