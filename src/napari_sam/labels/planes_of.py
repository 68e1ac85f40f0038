"""The planes that an object in labels is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.object_at import Box, object_at

Plane = tuple[int, ...]


def planes_of(labels: LabelsArray, label: int, known: Mapping[Plane, Box]) -> dict[Plane, Box]:
    """Follow an object from the planes that it is known to be on; return all, with its boxes.

    It is followed along each axis in front of rows and columns for as long as some of it lies where
    it was on the plane before; so the labels need not be looked through. Parts beyond a gap are
    found only if one of their planes is known.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers.
    label : int
        The object's number.
    known : mapping from planes to boxes
        Where it should be: (y0, x0, y1, x1), half open, such as `ObjectRecord.box`.

    Returns
    -------
    dict
        Ascending by plane.
    """
    found: dict[Plane, Box] = {}
    seen: dict[Plane, Box] = {}
    ahead = list(known.items())
    for plane, box in ahead:  # it grows meanwhile
        box = _around(box, seen.get(plane, box))
        if box == seen.get(plane):
            continue
        mask = object_at(labels, label, plane=plane, box=box)
        seen[plane] = _around(box, mask.box) if mask.area else box
        if mask.area and mask.box != found.get(plane):  # maybe another branch of it
            found[plane] = mask.box
            ahead += [(beside, mask.box) for beside in _iter_beside(plane, labels.shape)]
    return dict(sorted(found.items()))


def _around(one: Box, other: Box) -> Box:
    """Return the box around two."""
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _iter_beside(plane: Plane, shape: tuple[int, ...]) -> Iterator[Plane]:
    """Yield the planes before and behind another, along each axis."""
    for axis, index in enumerate(plane):
        for other in (index - 1, index + 1):
            if 0 <= other < shape[axis]:
                yield (*plane[:axis], other, *plane[axis + 1 :])
