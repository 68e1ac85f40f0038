"""Files beside labels: for other programs, and pictures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import typer

from napari_sam.cli.images import stem
from napari_sam.image import Image
from napari_sam.labels import open_labels
from napari_sam.labels.export import FORMATS, export_labels, write_histograms, write_overview
from napari_sam.segment.objects import object_scores, read_objects
from napari_sam.segment.output import Existing
from napari_sam.segment.record import image_path

PICTURES = (".overview.png", ".histograms.png")


def list_files(out: Path, exports: Iterable[str], pictures: bool) -> list[Path]:
    """Return the paths of all files that are written beside the labels.

    Parameters
    ----------
    out : path
        The labels.
    exports : iterable of str
        Endings of files that are named as the labels are, or paths.
    pictures : bool
        Whether there are pictures too.
    """
    files = [_beside(out, one) if one in FORMATS else Path(one) for one in exports]
    if pictures:
        files += [_beside(out, end) for end in PICTURES]
    return list(dict.fromkeys(files))


def _beside(out: Path, end: str) -> Path:
    return out.with_name(stem(out.name) + end)


def is_outdated(file: Path, out: Path) -> bool:
    """Whether a file is older than labels that are there, so that it is of others."""
    return file.stat().st_mtime < (out / "zarr.json").stat().st_mtime


def find_made_of(out: Path) -> dict[Path, str]:
    """Return the files beside labels that look as if made of them, and the options for each."""
    if not (out / "zarr.json").is_file():
        return {}
    options = {end: f"--export {end}" for end in FORMATS} | dict.fromkeys(PICTURES, "--pictures")
    beside = {_beside(out, end): option for end, option in options.items()}
    return {f: option for f, option in beside.items() if f.exists() and not is_outdated(f, out)}


def tell_outdated(old: Mapping[Path, str], out: Path) -> None:
    """Warn of files that show the labels that were there before.

    Parameters
    ----------
    old : mapping
        Files → the options that make them.
    out : path
        The labels.
    """
    if old:
        warnings.warn(
            f"{', '.join(map(str, old))} still show what {out} held before: remove them, or give "
            f"{' '.join(dict.fromkeys(old.values()))} with --replace to have them made anew.",
            stacklevel=2,
        )


def write_files(
    files: Iterable[Path], out: Path, image: Image, plane: tuple[int, ...], existing: Existing
) -> None:
    """Write labels in other formats and as pictures; what is there stays, unless it is replaced.

    Parameters
    ----------
    files : iterable of Path
        See `list_files`.
    out : path
        The labels.
    image : Image
        To draw on and to measure, unless its axes are in another order than those of labels.
    plane : tuple of int
        To draw.
    existing : {"resume", "replace", "refuse"}
        What to do with files that are there.
    """
    labels, scores = open_labels(out, mode="r"), object_scores(read_objects(out))
    axes = "".join(axis for axis in image.axes if axis not in "cyx")
    plane = tuple(index for _, index in sorted(zip(axes, plane, strict=True)))
    below = image if list(axes) == sorted(axes) else None
    for file in files:
        if file.exists() and existing != "replace":
            if is_outdated(file, out):
                warnings.warn(
                    f"{file} is there, and stays as it is, though it is older than {out}: remove "
                    f"it to have it made of these labels.",
                    stacklevel=2,
                )
            else:
                typer.echo(f"{file} is there, and stays as it is.", err=True)
        elif file.name.endswith(".overview.png"):
            write_overview(labels, file, image=below, plane=plane, overwrite=True)
        elif file.name.endswith(".histograms.png"):
            write_histograms(labels, file, scores=scores, overwrite=True)
        else:
            export_labels(labels, file, image=below, scores=scores, overwrite=True)


def check_files(files: Iterable[Path], out: Path, image: Image, existing: Existing) -> None:
    """Refuse to write over the image, or over files that cannot be of these labels.

    Raises
    ------
    OSError, ValueError
        If a file cannot be written, or cannot hold all planes.
    """
    source, n_planes = image_path(image), math.prod(image.plane_shape)
    for file in files:
        if file.name.lower().endswith(".sa1b.json") and n_planes > 1:
            raise ValueError(
                f"{file} would hold one plane, as files of SA-1B do, and the image has {n_planes}: "
                f"write COCO (.json) instead."
            )
        if source and "://" not in source and file.resolve() == Path(source).resolve():
            raise ValueError(f"The output {file} is the image itself: choose another name.")
        if file.exists() and existing != "replace" and (existing == "refuse" or not out.exists()):
            raise FileExistsError(f"{file} exists: choose another name, or use --replace.")
        if not file.absolute().parent.is_dir() and file.parent != out.parent:
            raise FileNotFoundError(f"There is no folder {file.absolute().parent}; make it first.")
