"""Labels and the records of their objects into new OME-Zarr labels, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import DTypeLike
from zarr.errors import ContainsArrayError

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.copy_chunks import iter_copied
from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.journal import ObjectJournal, write_journal
from napari_sam.labels.levels import check_levels
from napari_sam.labels.objects import ObjectTable
from napari_sam.labels.ome_zarr import JOURNAL, create_labels, list_in_parent, open_labels
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.labels.retype import remove_left_over
from napari_sam.labels.store import ObjectStore


@dataclass(frozen=True, eq=False)
class SavedLabels:
    """OME-Zarr labels open for writing.

    Parameters
    ----------
    path : path
        Where they lie.
    pyramid : LabelsPyramid
        Its levels are zarr arrays.
    objects : ObjectStore
        The records, with the journal that lies in the labels.
    """

    path: Path
    pyramid: LabelsPyramid
    objects: ObjectStore


def save_labels(
    labels: LabelsArray | Sequence[LabelsArray],
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    scale: Sequence[float] | None = None,
    units: Sequence[str | None] | None = None,
    table: ObjectTable | None = None,
    dtype: DTypeLike | None = None,
    n_levels: int = 1,
) -> Iterator[str | SavedLabels]:
    """Write labels into new OME-Zarr labels; yield what is being done, and then the new labels.

    Only what is stored is read and written, a few chunks at a time. Nothing is at the path unless
    all of it is: closing the generator, or an error, leaves nothing.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array, or a sequence of them
        (…, rows, columns) integers. Of the levels of a pyramid, the finest is read.
    path : path
        What is made; see `create_labels`.
    axes, scale, units, n_levels
        See `create_labels`.
    table : ObjectTable, optional
        The records of the objects.
    dtype : dtype, optional
        An integer type. Default: that of the labels.

    Raises
    ------
    FileExistsError, FileNotFoundError, OSError
        If there is something at the path, no folder to make it in, or the disk refuses.
    TypeError, ValueError
        If the labels or the arguments cannot be.
    """
    path = Path(path)
    finest: LabelsArray = labels[0] if isinstance(labels, Sequence) else labels
    check_labels(finest)
    layout: dict[str, Any] = {"axes": axes, "scale": scale, "units": units, "n_levels": n_levels}
    if path.parent.name == "labels" and (path.parent.parent / "zarr.json").is_file():
        path.parent.mkdir(exist_ok=True)  # of an image that has no labels yet
    with new_file(path) as unfinished:
        dtype = dtype or finest.dtype
        pyramid = create_labels(unfinished, finest.shape, dtype=dtype, **layout)
        yield from _iter_filled(pyramid, finest)
        if table is not None and len(table):
            write_journal(unfinished / pyramid.data.path / JOURNAL, table)
    list_in_parent(path)
    yield open_saved(path)


def open_saved(path: str | os.PathLike[str]) -> SavedLabels:
    """Open OME-Zarr labels with the records of their objects, to go on with them.

    A change that was cut off in the middle is completed.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    OSError
        If they cannot be read or written.
    ValueError
        If they are no OME-Zarr 0.5 labels, their coarser levels cannot be kept in step, or the
        journal in them cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}; check the path.")
    try:
        pyramid = open_labels(path)
    except (ContainsArrayError, FileExistsError, FileNotFoundError) as error:
        raise ValueError(f"{path} is no zarr group; expected OME-Zarr 0.5 labels.") from error
    check_labels(pyramid.data)
    check_levels(pyramid.levels)
    folder = path / pyramid.data.path
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"{path} cannot be written: change its permissions, or save the labels elsewhere."
        )
    remove_left_over(pyramid.group)
    journal = ObjectJournal.open(folder / JOURNAL, pyramid)
    return SavedLabels(path, pyramid, ObjectStore(journal=journal))


def _iter_filled(pyramid: LabelsPyramid, source: LabelsArray) -> Iterator[str]:
    """Fill all levels; yield what is being done, whenever a percent more is."""
    shown = ""
    for share in iter_copied(source, pyramid.data):
        if (text := f"Saving the labels: {100 * share:.0f} %") != shown:
            shown = text
            yield text
    for level in range(1, len(pyramid.levels)):
        yield f"Saving the labels: level {level} of {len(pyramid.levels) - 1}"
        for part in pyramid.stored_parts(level):
            pyramid.update_part(level, part)
