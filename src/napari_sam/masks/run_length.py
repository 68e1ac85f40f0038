"""Run-length encoding of masks, as COCO and SA-1B store them.

A plane is read column by column, and the lengths of its runs are listed, first one of background,
which has length 0 if the first pixel is set. The mask of one object touches only its own columns,
so neither way makes an array of the plane's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks.mask import Mask, clip_box

BITS = 5
"""Bits in each letter of a compressed string; a sixth says whether the number goes on."""

FIRST_LETTER = ord("0")


def mask_to_rle(
    mask: Mask, shape_yx: tuple[int, int], *, compressed: bool = True
) -> dict[str, Any]:
    """Return a mask as COCO has it; time and memory grow with its box, not with the plane.

    Parameters
    ----------
    mask : Mask
        What lies beyond the plane is left out.
    shape_yx : tuple of int
        Rows and columns of the plane.
    compressed : bool
        Whether the counts become a string, as in most files, or stay a list.

    Returns
    -------
    dict
        ``{"size": [rows, columns], "counts": str or list of int}``. pycocotools reads planes of up
        to 2^32 pixels.
    """
    counts = encode(mask, shape_yx)
    return {
        "size": [int(n) for n in shape_yx],
        "counts": compress(counts) if compressed else counts.tolist(),
    }


def rle_to_mask(rle: Mapping[str, Any]) -> Mask:
    """Return the mask of a COCO dictionary, compressed (str or bytes) or not.

    Raises
    ------
    ValueError
        If the counts are no string that `compress` writes, or do not fill the plane exactly.
    """
    counts, (height, width) = rle["counts"], rle["size"]
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    return decode(decompress(counts) if isinstance(counts, str) else counts, (height, width))


def encode(mask: Mask, shape_yx: tuple[int, int]) -> NDArray[np.int64]:
    """Return the lengths of a mask's runs, column by column, the first one of background."""
    height, width = shape_yx
    y0, x0, *_ = box = clip_box(mask.box, shape_yx)
    columns = np.pad(mask.crop(box).T, ((0, 0), (1, 1)))
    # Positions in the plane where a run begins and ends, by turns.
    column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])
    edges = (column + x0) * height + row + y0
    # A run that goes on in the next column ends where another begins.
    goes_on = np.flatnonzero(edges[1:-1:2] == edges[2::2])
    edges = np.delete(edges, np.concatenate([2 * goes_on + 1, 2 * goes_on + 2]))
    counts = np.diff(edges, prepend=0, append=height * width)
    return counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts


def decode(counts: ArrayLike, shape_yx: tuple[int, int]) -> Mask:
    """Return the mask that `encode` made these counts of.

    Raises
    ------
    ValueError
        If the counts are negative or do not fill the plane exactly.
    """
    height, width = shape_yx
    runs = np.asarray(counts, np.int64).ravel()
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(
            f"The runs cover {runs.sum()} pixels, the shortest {runs.min(initial=0)}; expected "
            f"the {height * width} of a plane of {height} x {width}."
        )
    edges = np.cumsum(runs)
    starts, stops = edges[: len(edges) // 2 * 2 : 2], edges[1::2]
    is_real = stops > starts
    starts, stops = starts[is_real], stops[is_real]
    if len(starts) == 0:
        return Mask.from_array(np.zeros((0, 0), bool))
    # One piece for each column that a run passes through.
    first, last = starts // height, (stops - 1) // height
    run = np.repeat(np.arange(len(starts)), last - first + 1)
    place = np.arange(len(run)) - np.searchsorted(run, run)
    column = first[run] + place
    top = np.maximum(starts[run] - column * height, 0)
    bottom = np.minimum(stops[run] - column * height, height)
    y0, x0 = int(top.min()), int(first[0])
    steps = np.zeros((int(column[-1]) + 1 - x0, int(bottom.max()) + 1 - y0), np.int8)
    np.add.at(steps, (column - x0, top - y0), 1)
    np.add.at(steps, (column - x0, bottom - y0), -1)
    return Mask.from_array(np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].T.astype(bool), y0, x0)


def compress(counts: ArrayLike) -> str:
    """Return counts as the string of COCO's own tools.

    Each count from the fourth on is written as its difference to the one before the last, as
    letters of five bits, the lowest first (pycocotools, ``rleToString``).
    """
    numbers = np.array(counts, np.int64)
    numbers[3:] -= np.asarray(counts, np.int64)[1:-2]
    letters, are_written = [], []
    goes_on = np.ones(len(numbers), bool)
    while goes_on.any():
        are_written.append(goes_on)
        low = numbers & 0x1F
        numbers = numbers >> BITS
        goes_on = goes_on & (numbers != np.where(low & 0x10, -1, 0))
        letters.append(low + goes_on * 0x20 + FIRST_LETTER)
    if not letters:
        return ""
    text = np.stack(letters, axis=1)[np.stack(are_written, axis=1)]
    return text.astype(np.uint8).tobytes().decode("ascii")


def decompress(text: str) -> NDArray[np.int64]:
    """Return the counts that `compress` made a string of.

    Raises
    ------
    ValueError
        If a letter is none that `compress` uses, or the last number is cut off.
    """
    letters = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - FIRST_LETTER
    if not len(letters):
        return letters
    if letters.min() < 0 or letters.max() > 0x3F or letters[-1] & 0x20:
        raise ValueError(f"This is no compressed run-length string: {text[-40:]!r}.")
    ends = np.flatnonzero(letters & 0x20 == 0)
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts + 1
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((letters & 0x1F) << BITS * place, starts)
    is_negative = letters[ends] & 0x10 != 0
    numbers[is_negative] -= 1 << BITS * lengths[is_negative]
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers
