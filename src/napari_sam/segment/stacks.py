"""What neighboring planes share, and the numbers that follow for each plane's objects."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_sam.segment.join import PlaneObjects
from napari_sam.segment.link import link_planes
from napari_sam.segment.render import paint_region
from napari_sam.segment.run import Plane, Run
from napari_sam.segment.run_folder import Part

PLANES_PER_TASK = 16
"""Planes that one task compares with the next ones; those that it looks ahead at are painted by
another task too."""


def stacks(run: Run) -> list[list[Plane]]:
    """Return the planes that are linked with each other, in the order of the axis.

    Without an axis to link along, every plane is a stack of its own.
    """
    if not run.settings.link.is_linked:
        return [[plane] for plane in run.planes]
    by_others: dict[Plane, list[Plane]] = {}
    for plane in run.planes:
        others = tuple(i for axis, i in enumerate(plane) if axis != run.link_axis)
        by_others.setdefault(others, []).append(plane)
    return list(by_others.values())


def iter_blocks(run: Run) -> Iterator[Part]:
    """Yield number of stack and block of planes, row and column of region, to count in."""
    for number, planes in enumerate(stacks(run)):
        yield from _blocks_of_stack(run, number, len(planes))


def _blocks_of_stack(run: Run, number: int, n_planes: int) -> Iterator[Part]:
    for block in range(-(-n_planes // PLANES_PER_TASK)):
        for row, column in np.ndindex(run.shards()):
            yield number, block, row, column


def count_shared(run: Run, part: Part) -> None:
    """Count pixels of objects, and what those of near planes share: a task of the fourth pass.

    A pixel is one of the object on top. In memory are the labels of the region in as many planes as
    can be linked.
    """
    number, block, row, column = part
    planes, box = stacks(run)[number], run.shard_box(row, column)
    z = _positions(run, planes)
    reach = run.settings.link.max_gap + 1
    first, stop = block * PLANES_PER_TASK, min((block + 1) * PLANES_PER_TASK, len(planes))
    areas, shared = [np.zeros((0, 3), np.int64)], [np.zeros((0, 5), np.int64)]
    ahead: dict[int, NDArray[np.int32]] = {}
    for i in range(first, stop):
        near = range(i + 1, bisect_right(z, z[i] + reach))
        for j in [i, *near]:
            if j not in ahead:
                ahead[j] = paint_region(run, planes[j], box)
        own = ahead.pop(i)
        numbers, counts = np.unique(own[own > 0], return_counts=True)
        areas.append(np.column_stack([np.full(len(numbers), i), numbers, counts]))
        shared += [count_pairs(i, j, own, ahead[j]) for j in near]
    found = {"areas": np.concatenate(areas), "shared": np.concatenate(shared)}
    run.folder.save("compare", part, found)


def link_stack(run: Run, part: Part) -> None:
    """Give numbers to the objects of a stack: a task of the fifth pass.

    In memory are the pixels of each object, and what pairs of them share.
    """
    (number,) = part
    planes = stacks(run)[number]
    n_objects = [len(PlaneObjects.load(run.folder, plane)) for plane in planes]
    areas = [np.zeros(n + 1, np.int64) for n in n_objects]
    blocks = [run.folder.load("compare", b) for b in _blocks_of_stack(run, number, len(planes))]
    shared = _sum_shared(np.concatenate([block["shared"] for block in blocks]))
    counted = np.concatenate([block["areas"] for block in blocks])
    for i, plane_areas in enumerate(areas):
        _, which, pixels = counted[counted[:, 0] == i].T
        np.add.at(plane_areas, which, pixels)
    numbers = link_planes(_positions(run, planes), areas, shared, run.settings.link)
    for plane, plane_numbers in zip(planes, numbers, strict=True):
        run.folder.save("numbers", plane, {"numbers": plane_numbers})
    highest = max(int(plane_numbers.max()) for plane_numbers in numbers)
    run.folder.save("link", part, {"highest": np.array(highest)})


def place_stacks(run: Run, n_kept: int) -> int:
    """Put the numbers of all stacks behind each other, and behind `n_kept`; return the highest.

    Saved is for each plane what is to be added to the numbers in its stack.
    """
    first: dict[Plane, int] = {}
    for number, planes in enumerate(stacks(run)):
        first |= dict.fromkeys(planes, n_kept)
        n_kept += int(run.folder.load("link", (number,))["highest"])
    run.folder.save("first", (), {"first": np.array([first[plane] for plane in run.planes])})
    return n_kept


def final_numbers(run: Run, plane: Plane) -> NDArray[np.int64]:
    """Return the label of each of a plane's objects, by its number in the plane; 0 if dropped."""
    numbers = run.folder.load("numbers", plane)["numbers"]
    first = run.folder.load("first", ())["first"][run.planes.index(plane)]
    return np.where(numbers > 0, numbers + first, 0)


def _positions(run: Run, planes: list[Plane]) -> list[int]:
    """Return the index of each plane along the axis that is linked."""
    if not run.settings.link.is_linked:
        return list(range(len(planes)))
    return [plane[run.link_axis] for plane in planes]


def count_pairs(
    i: int, j: int, one: NDArray[np.integer], other: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return (P, 5): both planes, an object of each, and how many pixels they share."""
    both = (one > 0) & (other > 0)
    base = int(other.max(initial=0)) + 1
    codes, counts = np.unique(one[both].astype(np.int64) * base + other[both], return_counts=True)
    planes = np.full((len(codes), 2), (i, j))
    return np.column_stack([planes, codes // base, codes % base, counts])


def _sum_shared(shared: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up what the same objects share in different regions."""
    if not len(shared):
        return shared
    shared = shared[np.lexsort(shared[:, 3::-1].T)]
    is_first = np.append(True, (np.diff(shared[:, :4], axis=0) != 0).any(axis=1))
    starts = np.flatnonzero(is_first)
    return np.column_stack([shared[starts, :4], np.add.reduceat(shared[:, 4], starts)])
