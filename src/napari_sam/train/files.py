"""Labeled images on disk: npz archives, and folders of TIFF or OME-Zarr images.

A *source* is one of

- ``NAME.npz`` with ``image_000``, ``label_000`` and perhaps ``label2_000``, …;
- a folder ``NAME`` with the folders ``images``, ``labels`` and perhaps ``labels2``, which hold
  TIFF, npy or zarr files of the same names;
- a folder ``NAME`` of OME-Zarr images, or one such image, with their labels in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_sam.image.open_source import open_source


@dataclass(frozen=True)
class LabeledImage:
    """What is read: an image and its labels.

    Parameters
    ----------
    name : str
        What it is called in messages.
    image : (H, W), (H, W, 3) or (Z, H, W) array
    labels : tuple of integer arrays
        Alternative truths, each of the image's shape without its colors.
    """

    name: str
    image: np.ndarray
    labels: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        expected = self.image.shape[: 2 if self.is_rgb else self.image.ndim]
        if self.image.ndim not in (2, 3):
            raise ValueError(
                f"{self.name} has shape {self.image.shape}; expected (rows, columns), with 3 "
                "colors behind or planes in front. Split it into such images."
            )
        for labels in self.labels:
            if labels.shape != expected:
                raise ValueError(
                    f"{self.name} has shape {self.image.shape}, its labels {labels.shape}; "
                    "they must agree."
                )
            if labels.dtype.kind not in "bui":
                raise ValueError(
                    f"The labels of {self.name} are {labels.dtype}; expected whole numbers."
                )

    @property
    def is_rgb(self) -> bool:
        """Whether the last axis holds red, green and blue."""
        return self.image.ndim == 3 and self.image.shape[-1] == 3


def find_sources(folder: Path) -> list[Path]:
    """Return the sources of a folder in alphabetical order.

    Raises
    ------
    ValueError
        If there are none.
    """
    folder = Path(folder)
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    sources = [path for path in paths if path.suffix == ".npz" or path.is_dir()]
    if not sources:
        raise ValueError(
            f"{folder} holds no .npz file of labeled images, nor a folder of images and labels."
        )
    return sources


def iter_labeled(source: Path) -> Iterator[LabeledImage]:
    """Read the labeled images of one source, one by one, in alphabetical order.

    Raises
    ------
    ValueError
        If the source is of no known kind, an image has no labels, or they do not fit it.
    """
    if source.suffix == ".npz":
        yield from _iter_archive(source)
    elif (source / "images").is_dir():
        yield from _iter_beside(source)
    elif _has_labels(source):
        yield _read_with_labels(source)
    else:
        images = [path for path in sorted(source.iterdir()) if _has_labels(path)]
        if not images:
            raise ValueError(
                f"{source} is no source of labeled images: expected the folders 'images' and "
                "'labels' in it, or OME-Zarr images with labels."
            )
        yield from map(_read_with_labels, images)


def _iter_archive(path: Path) -> Iterator[LabeledImage]:
    with np.load(path) as arrays:
        for key in sorted(k for k in arrays.files if k.startswith("image_")):
            names = [key.replace("image", kind) for kind in ("label", "label2")]
            labels = tuple(arrays[name] for name in names if name in arrays.files)
            if not labels:
                raise ValueError(f"{path.name} has {key}, but no {names[0]}.")
            yield LabeledImage(f"{key} of {path.name}", arrays[key], labels)


def _iter_beside(source: Path) -> Iterator[LabeledImage]:
    for path in sorted((source / "images").iterdir()):
        name = path.name.split(".")[0]
        found = [
            _read(match)
            for kind in ("labels", "labels2")
            for match in sorted((source / kind).glob(f"{name}.*"))[:1]
        ]
        if not found:
            raise ValueError(f"{path} has no labels: expected {source / 'labels' / name}.*")
        yield LabeledImage(str(path), _read(path), tuple(found))


def _has_labels(path: Path) -> bool:
    return path.is_dir() and (path / "labels").is_dir()


def _read_with_labels(path: Path) -> LabeledImage:
    group = zarr.open_group(path / "labels", mode="r")
    attributes: dict[str, Any] = dict(group.attrs)
    listed = attributes.get("ome", attributes).get("labels")
    names = [str(name) for name in listed] if isinstance(listed, list) else sorted(group)
    if not names:
        raise ValueError(f"{path / 'labels'} lists no labels.")
    return LabeledImage(str(path), _read(path), (_read(path / "labels" / names[0]),))


def _read(path: Path) -> np.ndarray:
    """Read the finest level as a whole; colors go last, axes of length 1 go."""
    source = open_source(path)
    array = np.asarray(source.arrays[0][...])
    axes = source.axes or ""
    if "c" in axes and array.shape[axes.index("c")] == 3:
        array = np.moveaxis(array, axes.index("c"), -1)
    return array.squeeze()
