"""The objects of a run as a table beside the labels: where they are, and how sure the model is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import GroupNotFoundError

from napari_sam.embedding.disk_errors import explained
from napari_sam.segment.join import PlaneObjects
from napari_sam.segment.match import load_table
from napari_sam.segment.run import Plane, Run
from napari_sam.segment.stacks import final_numbers

GROUP = "objects"
"""In the zarr group of the labels: an array for each column."""

Columns = dict[str, NDArray[np.generic]]


def save_objects(run: Run) -> None:
    """Write a row for each object of each plane, into the labels in the working folder.

    Read are the objects of one tile at a time; in memory are about 100 bytes for each object.
    """
    planes = [_plane_columns(run, plane) for plane in run.planes]
    columns = {name: np.concatenate([plane[name] for plane in planes]) for name in planes[0]}
    with explained(run.folder.path, "written", "working folder"):
        group = zarr.open_group(run.folder.labels, mode="r+").create_group(GROUP, overwrite=True)
        for name, column in columns.items():
            group.create_array(name, data=column)


def read_objects(labels: str | os.PathLike[str]) -> Columns:
    """Return the table of the objects that a run found.

    Parameters
    ----------
    labels : path
        The output of `segment_stack`.

    Returns
    -------
    dict of (N, …) arrays
        A row for each object of each plane: ``label``; ``plane`` (N, number of axes in front of
        rows and columns); ``box`` (N, 4) as (y0, x0, y1, x1) in level-0 pixels, before smaller
        objects on top of it cover a part; ``predicted_iou`` and ``stability``, NaN where the model
        gives none; ``point`` (N, 2), the (row, column) of its prompt. Objects that were
        kept from other labels have no row.

    Raises
    ------
    FileNotFoundError
        If there are no labels of a run.
    """
    try:
        group = zarr.open_group(Path(labels), path=GROUP, mode="r")
    except (FileNotFoundError, GroupNotFoundError) as error:
        raise FileNotFoundError(
            f"{labels} has no table of objects: expected labels that segment_stack wrote."
        ) from error
    return {name: np.asarray(column) for name, column in group.arrays()}


def object_scores(objects: Mapping[str, NDArray[np.generic]]) -> Columns:
    """Return the scores of each label, as the functions that export labels take them.

    Those of an object in several planes are averaged; it has no point.
    """
    label, row = np.unique(objects["label"], return_inverse=True)
    n_planes = np.bincount(row, minlength=len(label))
    columns: Columns = {"label": label}
    for name in ("predicted_iou", "stability"):
        sums = np.bincount(row, np.asarray(objects[name], np.float64), len(label))
        columns[name] = sums / n_planes
    if (n_planes == 1).all():
        columns["point"] = objects["point"][np.argsort(row)]
    return columns


def _plane_columns(run: Run, plane: Plane) -> Columns:
    objects = PlaneObjects.load(run.folder, plane)
    labels = final_numbers(run, plane)[1:]
    scores = _scores(run, plane, objects)
    columns: Columns = {
        "label": labels,
        "plane": np.tile(np.array(run.label_index(plane), np.int64), (len(labels), 1)),
        "box": objects.boxes,
        "predicted_iou": scores[:, 0],
        "stability": scores[:, 1],
        "point": scores[:, 2:],
    }
    return {name: column[labels > 0] for name, column in columns.items()}


def _scores(run: Run, plane: Plane, objects: PlaneObjects) -> NDArray[np.float32]:
    """Return (K, 4): predicted IoU, stability and point (row, column) of the best part of each."""
    best = np.full((len(objects), 4), np.nan, np.float32)
    ends = objects.starts[1:]
    for tile, start, end in zip(objects.tiles.tolist(), objects.starts, ends, strict=False):
        numbers = objects.numbers[start:end]
        if not numbers.any():
            continue
        table = load_table(run, (*plane, *tile))
        columns = np.column_stack([table.predicted_iou, table.stability, table.points])
        order = np.argsort(np.nan_to_num(table.predicted_iou, nan=-1))  # the last one stays
        rows = order[numbers[order] > 0]
        index = numbers[rows] - 1
        is_better = ~(columns[rows, 0] <= best[index, 0])
        best[index[is_better]] = columns[rows[is_better]]
    return best
