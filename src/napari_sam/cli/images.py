"""Which images a command is about, and what their outputs are called."""

from __future__ import annotations

import glob
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from napari_sam.cli.mistakes import check_there
from napari_sam.labels.export.tiff import is_label_tiff

ENDINGS = (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", ".tiff", ".tif", ".npy", ".zarr.zip")
"""Of images that are looked for in a folder."""

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray")
"""One of them is in a folder that is a zarr."""


def find_images(given: Iterable[str]) -> list[str]:
    """Return the paths and addresses of images, each once.

    Parameters
    ----------
    given : iterable of str
        Paths; addresses; patterns such as ``"plate/*.tif"``, with ``**`` for any folders; folders,
        of which the images directly in them are taken. Labels that a pattern fits or a folder
        holds are left out.

    Raises
    ------
    FileNotFoundError
        If there is nothing at a path, or no image in a folder.
    ValueError
        If there are labels at a path.
    """
    found: dict[str, None] = {}
    for one in given:
        found |= dict.fromkeys(_find(one))
    return list(found)


def _find(given: str) -> Iterator[str]:
    path = Path(given)
    if not given:
        raise ValueError("The name of an image is empty: a variable without a value, perhaps.")
    if "://" in given:
        yield given
    elif _is_plain_folder(path):
        yield from _in_folder(path)
    elif _are_labels(path):
        use = f" To keep them, add --keep {given}; to repeat what made them, --config {given}."
        raise ValueError(
            f"{given} holds labels, and objects are found in images: give the image."
            f"{use if path.is_dir() else ''}"
        )
    elif glob.has_magic(given) and not os.path.lexists(given):
        yield from _fitting(given)
    else:
        check_there(given)
        yield given


def _fitting(pattern: str) -> Iterator[str]:
    paths = [path for path in sorted(glob.glob(pattern, recursive=True)) if not _are_labels(path)]
    if not paths:
        raise FileNotFoundError(f"No image fits the pattern {pattern}.")
    for path in paths:
        yield from _in_folder(Path(path)) if _is_plain_folder(Path(path)) else [path]


def _in_folder(folder: Path) -> list[str]:
    paths = (path for path in sorted(folder.iterdir()) if path.name.lower().endswith(ENDINGS))
    if images := [str(path) for path in paths if not _are_labels(path)]:
        return images
    raise FileNotFoundError(
        f"The folder {folder} has no images: expected names that end in {', '.join(ENDINGS)}."
    )


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not any((path / name).is_file() for name in ZARR_FILES)


def _are_labels(path: str | Path) -> bool:
    """Whether a path is a label image of OME-Zarr, or labels that were exported as TIFF."""
    if str(path).lower().endswith((".tif", ".tiff")):
        return is_label_tiff(path)
    with suppress(OSError, ValueError, AttributeError):
        attributes = json.loads(Path(path, "zarr.json").read_bytes()).get("attributes", {})
        return "image-label" in attributes.get("ome", {})
    return False


def stem(image: str) -> str:
    """Return the name of an image without its ending."""
    name = image.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    end = next((end for end in ENDINGS if name.lower().endswith(end)), Path(name).suffix)
    return name[: len(name) - len(end)] or name


def name_outputs(images: Sequence[str], folder: Path) -> list[Path]:
    """Return the path of each image's labels in a folder.

    Raises
    ------
    ValueError
        If two images have one name.
    """
    names = [stem(image) for image in images]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        same = [image for image in images if stem(image) == twice[0]]
        raise ValueError(
            f"{' and '.join(same)} would have the same output {twice[0]}.zarr: call the command "
            f"for each, with another OUT."
        )
    return [folder / f"{name}.zarr" for name in names]
