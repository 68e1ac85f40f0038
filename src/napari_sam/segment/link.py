"""Objects of planes into objects of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_sam.segment.settings import LinkSettings

GAP_IOU = 0.6
"""How much objects on both sides of a missing plane overlap at least: the tips of two objects, one
behind the other, do so less."""


def link_planes(
    positions: Sequence[int],
    areas: Sequence[NDArray[np.int64]],
    shared: NDArray[np.int64],
    settings: LinkSettings,
) -> list[NDArray[np.int64]]:
    """Tell which objects of different planes are the same.

    Of two planes, objects that share enough are linked, one with one, in the order of their IoU;
    neighboring planes first, then those with one plane between them, and so on up to
    ``settings.max_gap``, for objects that have not been linked on this side. (One with one, and no
    branches: of volumes cut into perfect planes, this gave the most objects back.) So an object is
    a chain with one part in each plane at most. Where it splits, the best overlapping branch keeps
    its number, and the others begin new objects; where two merge, one ends.

    Parameters
    ----------
    positions : sequence of n int
        Index of each plane along the axis, ascending.
    areas : sequence of n (K_i + 1,) int arrays
        Pixels of each plane's objects, by their number in the plane; entry 0 is ignored. An object
        without pixels is none.
    shared : (P, 5) int array
        Index of one plane, of a later one, the numbers of an object in each, and how many pixels
        they share.
    settings : LinkSettings
        When two objects are the same, and which are dropped.

    Returns
    -------
    list of n (K_i + 1,) int arrays
        Number in the stack of each plane's objects, from 1 in the order of their first parts; 0 if
        dropped, and for entry 0.
    """
    shared = shared[shared[:, 4] > 0]
    starts = np.cumsum([0, *map(len, areas)])
    pixels = np.concatenate([np.zeros(0, np.int64), *(np.r_[0, part[1:]] for part in areas)])
    first, later = starts[shared[:, 0]] + shared[:, 2], starts[shared[:, 1]] + shared[:, 3]
    distance = np.asarray(positions, np.int64)[shared[:, 1]]
    distance = distance - np.asarray(positions, np.int64)[shared[:, 0]]
    both = shared[:, 4]
    smaller, larger = np.sort(pixels[np.stack([first, later])], axis=0)
    ious = both / (smaller + larger - both)
    is_same = (both > settings.overlap * smaller) & ((distance == 1) | (ious > GAP_IOU))
    if settings.max_growth is not None:
        is_same &= larger <= settings.max_growth * smaller
    order = np.lexsort((later, first, -ious, distance))
    order = order[(is_same & (distance <= settings.max_gap + 1))[order]]
    links = _one_to_one(first[order].tolist(), later[order].tolist(), len(pixels))
    return np.split(_number(links, pixels > 0, settings.min_extent), starts[1:-1])


def _one_to_one(first: list[int], later: list[int], n: int) -> NDArray[np.int64]:
    """Return (L, 2) of the pairs whose ends have not been taken by a pair before them."""
    has_next, has_previous = np.zeros(n, bool), np.zeros(n, bool)
    links = [(0, 0)][:0]
    for one, two in zip(first, later, strict=True):
        if not has_next[one] and not has_previous[two]:
            has_next[one] = has_previous[two] = True
            links.append((one, two))
    return np.array(links, np.int64).reshape(-1, 2)


def _number(
    links: NDArray[np.int64], is_object: NDArray[np.bool_], min_extent: int
) -> NDArray[np.int64]:
    """Return the number of the chain that each object is a part of; 0 if it is too short."""
    n = len(is_object)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    _, chain = connected_components(graph, directed=False)
    extent = np.bincount(chain[is_object], minlength=n + 1)
    is_long = is_object & (extent[chain] >= min_extent)
    _, where, which = np.unique(chain[is_long], return_index=True, return_inverse=True)
    numbers = np.zeros(n, np.int64)
    numbers[is_long] = np.argsort(np.argsort(where))[which] + 1
    return numbers
