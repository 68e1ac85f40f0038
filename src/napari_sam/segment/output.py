"""Where the labels of a run go: what is there already, and how the new ones take its place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import zarr
from zarr.errors import GroupNotFoundError

from napari_sam.embedding.disk_errors import explained
from napari_sam.image.image import Image
from napari_sam.labels.ome_zarr import RUN, list_in_parent, open_labels
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.segment.record import array_paths, differences, image_path
from napari_sam.segment.run_folder import LAYOUT, RunFolder

Existing = Literal["resume", "replace", "refuse"]
"""What to do with an output that is there: go on with it if it is unfinished, and leave it if it is
complete, unless it was made from something else; make it anew; or refuse."""


class OtherRunError(ValueError):
    """An output, unfinished or complete, was made from something else; it can be replaced."""


def check_out(out: Path, image: Image, existing: Existing) -> None:
    """Refuse an output that cannot be, before anything is computed.

    Raises
    ------
    FileNotFoundError
        If there is no folder to make it in.
    FileExistsError
        If something else than labels of a run is there, or anything with ``"refuse"``.
    ValueError
        If it would lie upon the image.
    """
    if existing not in get_args(Existing):
        raise ValueError(f"existing is {existing!r}; expected resume, replace or refuse.")
    _check_beside(out, image)
    if not _can_hold(out.absolute().parent):
        raise FileNotFoundError(
            f"There is no folder {out.absolute().parent} to make the output {out.name} in: check "
            f"the path, or make the folder."
        )
    folder = RunFolder.beside(out).path
    if existing == "refuse" and (found := next((p for p in (out, folder) if p.exists()), None)):
        raise FileExistsError(
            f"{found} exists: choose another output, or let it be resumed or replaced."
        )
    if out.exists() and read_record(out) is None:
        raise FileExistsError(
            f"{out} exists, and is no output of automatic segmentation: choose another path."
        )


def begin(folder: RunFolder, record: Mapping[str, Any], existing: Existing) -> dict[str, Any]:
    """Make the working folder, or go on with the one that is there.

    Returns
    -------
    dict
        The record, of all that take part: what a run was continued with, if that differs, is in a
        list ``continued_with``.

    Raises
    ------
    OtherRunError
        If it is that of a run with other parameters or of another layout, or says of none.
    """
    found = read_begun(folder, record, existing)
    if found is None and folder.is_begun:
        shutil.rmtree(folder.path)
    kept = dict(record if found is None else found)
    others = kept.get("continued_with", [])
    if record["made_with"] not in [kept["made_with"], *others]:
        kept["continued_with"] = [*others, record["made_with"]]
    if kept != found:
        folder.write(folder.record, json.dumps(kept | {"layout": LAYOUT}, indent=1).encode())
    return kept


def read_begun(
    folder: RunFolder, record: Mapping[str, Any], existing: Existing
) -> dict[str, Any] | None:
    """Return the record of the unfinished run that a run goes on with; None if it begins anew.

    Raises
    ------
    OtherRunError
        As `begin`.
    """
    if not folder.is_begun:
        return None
    found = _read_json(folder.record)
    if other := _why_other(found, record):
        if existing != "replace":
            raise OtherRunError(f"The unfinished run in {folder.path} {other}")
        return None
    return found


def _why_other(found: dict[str, Any] | None, record: Mapping[str, Any]) -> str | None:
    """Say why an unfinished run is not gone on with, and what to do; None if it is."""
    damaged = (
        "does not tell what it was begun from, for its run.json is damaged. Replace it, or choose "
        "another output."
    )
    if found is None:
        return damaged
    if found.pop("layout", None) != LAYOUT:
        return (
            "was begun by another version of napari-sam, which kept what it found in another "
            "layout. Replace it, or choose another output."
        )
    try:
        parts = differences(found, record)
    except (AttributeError, LookupError, TypeError, ValueError):  # other entries than ours
        return damaged
    if parts:
        return (
            f"was begun from something else. What differs: {'; '.join(parts)}. Repeat it as it "
            f"was, replace it, or choose another output."
        )
    return None


def is_complete(out: Path, record: Mapping[str, Any]) -> bool:
    """Whether the output is there, and is what the run would make.

    Raises
    ------
    OtherRunError
        If it was made from something else; says what differs.
    """
    if not out.exists():
        return False
    if parts := differences(read_record(out) or {}, record):
        raise OtherRunError(
            f"{out} exists, and was made from something else. What differs: {'; '.join(parts)}. "
            f"Replace it, or choose another output."
        )
    return True


def finish(folder: RunFolder, out: Path, record: Mapping[str, Any], *, keep_work: bool) -> None:
    """Put complete labels in their place; what was there goes only now."""
    with explained(out, "written", "output"):
        group = zarr.open_group(folder.labels, mode="r+")
        group.attrs[RUN] = dict(record)
        if out.exists():
            replaced = folder.path / "replaced"
            shutil.rmtree(replaced, ignore_errors=True)  # of an earlier run whose work was kept
            os.rename(out, replaced)
        os.rename(folder.labels, out)
        list_in_parent(out)
    if not keep_work:
        shutil.rmtree(folder.path, ignore_errors=True)


def read_record(out: Path) -> dict[str, Any] | None:
    """Return the record of the run that made labels; None if they are of no run."""
    with suppress(FileNotFoundError, GroupNotFoundError, ValueError, OSError):
        attributes = zarr.open_group(out, mode="r").attrs
        if isinstance(found := attributes.get(RUN), dict):
            return found
    return None


def open_output(out: Path) -> LabelsPyramid:
    """Return the labels of a complete run."""
    return open_labels(out)


def _can_hold(folder: Path) -> bool:
    """Whether a folder is there, or is that of an OME-Zarr image's labels, made with the first."""
    is_of_image = folder.name == "labels" and (folder.parent / "zarr.json").is_file()
    return folder.is_dir() or is_of_image


def _check_beside(out: Path, image: Image) -> None:
    out = out.resolve()
    arrays = [Path(path).resolve() for path in array_paths(image)]
    whole = image_path(image)
    roots = arrays if whole is None or "://" in whole else [*arrays, Path(whole).resolve()]
    if any(root.is_relative_to(out) for root in roots) or any(map(out.is_relative_to, arrays)):
        raise ValueError(
            f"The output {out} would lie upon the image itself: choose another path, such as "
            f"{out.with_name('labels.zarr')}."
        )


def _read_json(file: Path) -> dict[str, Any] | None:
    with suppress(FileNotFoundError, ValueError):
        if isinstance(found := json.loads(file.read_bytes()), dict):
            return found
    return None
