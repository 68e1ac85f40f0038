"""The labels of a run on disk: each region is written once, then the coarser levels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_sam.embedding.atomic import place_folder
from napari_sam.embedding.disk_errors import explained
from napari_sam.image.label_axes import label_order
from napari_sam.labels.chunks import stored_chunks
from napari_sam.labels.ome_zarr import CHUNK_SIDE, create_labels, open_labels
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.masks.mask import box_slices
from napari_sam.segment.render import paint_region
from napari_sam.segment.run import SHARD_SIDE, Run
from napari_sam.segment.run_folder import Part
from napari_sam.segment.stacks import final_numbers


def make_labels(run: Run, highest: int) -> LabelsPyramid:
    """Return the labels to write into, in the working folder; made unless they are there.

    Parameters
    ----------
    run : Run
        Of the image.
    highest : int
        The highest label: up to 65535 they are uint16, else uint32.
    """
    image = run.embeddings.image
    axes = run.label_axes
    shape = (*run.label_index(image.plane_shape), *image.shape_yx)
    told = zip(image.scale, image.origin, image.units, strict=True)
    known = dict(zip(image.axes, told, strict=True))
    places = [*(run.plane_axes[i] for i in label_order(image)), "y", "x"]
    leading = (1,) * (len(axes) - 2)

    def create(folder: Path) -> None:
        folder.mkdir()
        create_labels(
            folder / run.folder.labels.name,
            shape,
            axes=axes,
            scale=[known[axis][0] for axis in places],
            origin=[known[axis][1] for axis in places],
            units=[known[axis][2] for axis in places],
            dtype="uint16" if highest <= np.iinfo(np.uint16).max else "uint32",
            chunks=(*leading, CHUNK_SIDE, CHUNK_SIDE),
            shards=(*leading, SHARD_SIDE, SHARD_SIDE),
        )

    with explained(run.folder.path, "written", "working folder"):
        if not run.folder.labels.exists():
            place_folder(run.folder.labels.parent, create)
        return open_labels(run.folder.labels)


def iter_unwritten(run: Run) -> Iterator[Part]:
    """Yield the plane's indices, row and column of the regions that are not stored."""
    stored = stored_chunks(open_labels(run.folder.labels, mode="r").data)
    rows, columns = run.shards()
    for plane, row, column in itertools.product(run.planes, range(rows), range(columns)):
        if (*run.label_index(plane), row, column) not in stored:
            yield (*plane, row, column)


def write_region(run: Run, part: Part) -> None:
    """Write the labels of one region, a shard of the finest level: a task of the sixth pass.

    Background is not stored.
    """
    *indices, row, column = part
    plane, box = tuple(indices), run.shard_box(row, column)
    labels = final_numbers(run, plane).astype(np.uint32)[paint_region(run, plane, box)]
    if (kept := run.kept(plane, box)) is not None:
        labels = np.where(kept != 0, kept, labels)
    if labels.any():
        with explained(run.folder.path, "written", "working folder"):
            data = open_labels(run.folder.labels).data
            place: tuple[int | slice, ...] = (*run.label_index(plane), *box_slices(box))
            data[place] = labels.astype(data.dtype)


def iter_coarse(run: Run, level: int) -> Iterator[Part]:
    """Yield the level and the index of its shards that are not stored, and hold something."""
    pyramid = open_labels(run.folder.labels, mode="r")
    stored = stored_chunks(pyramid.levels[level])
    yield from ((level, *index) for index in pyramid.stored_parts(level) if index not in stored)


def write_coarse(run: Run, part: Part) -> None:
    """Write one shard of a coarser level, from the level before: a task of the last passes."""
    level, *index = part
    with explained(run.folder.path, "written", "working folder"):
        open_labels(run.folder.labels).update_part(level, tuple(index))
