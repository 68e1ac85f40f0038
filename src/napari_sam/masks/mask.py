"""One mask, cropped to its box."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.measure import find_contours, label

from napari_sam.prompts.mask_prompt import MaskPrompt

MAX_BLOCKS = 2048
"""Blocks per side in which connected parts are looked for."""


@dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of one object, as a boolean array no larger than the object.

    Pixels that touch at a corner belong together.

    Parameters
    ----------
    box : tuple of int
        (y0, x0, y1, x1) in level-0 pixels, half open: the mask lies in ``plane[y0:y1, x0:x1]``.
    array : (y1 - y0, x1 - x0) bool array
        True on the object. Tight: the outermost rows and columns hold a True, unless it is empty.
    predicted_iou : float
        The model's own estimate of the overlap with the true object. Can leave [0, 1].
    stability_score : float
        Overlap of the masks at logit thresholds +1 and -1: near 1 for a sharp edge.
    logits : MaskPrompt, optional
        The low-resolution logits, to hand back to the model with more prompts.
    """

    box: tuple[int, int, int, int]
    array: NDArray[np.bool_] = field(repr=False)
    predicted_iou: float = float("nan")
    stability_score: float = float("nan")
    logits: MaskPrompt | None = field(default=None, repr=False)

    @classmethod
    def from_array(
        cls,
        array: NDArray[np.bool_],
        y0: int = 0,
        x0: int = 0,
        *,
        predicted_iou: float = float("nan"),
        stability_score: float = float("nan"),
        logits: MaskPrompt | None = None,
    ) -> Mask:
        """Make a mask of a boolean array (h, w) whose first pixel is (y0, x0); cut to the Trues."""
        rows = np.flatnonzero(array.any(axis=1))
        columns = np.flatnonzero(array.any(axis=0))
        if len(rows) == 0:
            box, tight = (y0, x0, y0, x0), np.zeros((0, 0), dtype=bool)
        else:
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            left, right = int(columns[0]), int(columns[-1]) + 1
            box = (y0 + top, x0 + left, y0 + bottom, x0 + right)
            tight = np.array(array[top:bottom, left:right], dtype=bool)
        return cls(box, tight, predicted_iou, stability_score, logits)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.array))

    def to_array(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the mask in a plane of `shape` (height, width), cut at its border."""
        plane = np.zeros(shape, dtype=bool)
        inside = clip_box(self.box, shape)
        plane[box_slices(inside)] = self.crop(inside)
        return plane

    def crop(self, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """Return the part of the mask in `box`, which must lie inside its own box."""
        y0, x0 = self.box[:2]
        return self.array[box[0] - y0 : box[2] - y0, box[1] - x0 : box[3] - x0]

    def contains(self, y: float, x: float) -> bool:
        """Whether the pixel at (y, x) belongs to the mask."""
        row, column = self._index(y, x)
        height, width = self.array.shape
        return 0 <= row < height and 0 <= column < width and bool(self.array[row, column])

    def iou(self, other: Mask) -> float:
        """Return intersection over union with another mask; 0 if both are empty."""
        y0, x0 = np.maximum(self.box[:2], other.box[:2]).tolist()
        y1, x1 = np.minimum(self.box[2:], other.box[2:]).tolist()
        shared = (y0, x0, max(y0, y1), max(x0, x1))
        if y1 <= y0 or x1 <= x0:
            return 0.0
        intersection = int(np.count_nonzero(self.crop(shared) & other.crop(shared)))
        return intersection / (self.area + other.area - intersection)

    def contours(self) -> list[NDArray[np.float64]]:
        """Return the outlines, outer ones and those of holes.

        Returns
        -------
        list of (K, 2) float arrays
            Closed polygons (the first vertex is the last) of (row, column) in level-0 pixels, half
            way between the pixels inside and outside.
        """
        origin = np.array(self.box[:2]) - 1
        padded = np.pad(self.array, 1)
        lines = find_contours(padded, 0.5, fully_connected="high")
        return [line + origin for line in lines]

    def components_at(self, points_yx: ArrayLike) -> Mask:
        """Return the connected parts that hold any of the (N, 2) points; empty if none does."""
        parts, side = self._components()
        inside = [self._index(y, x) for y, x in np.asarray(points_yx) if self.contains(y, x)]
        hit = {int(parts[row // side, column // side]) for row, column in inside}
        return self._part(np.isin(parts, list(hit)), side)

    def largest_component(self) -> Mask:
        """Return the largest connected part, without the islands around it."""
        parts, side = self._components()
        areas = np.bincount(parts.ravel())[1:]
        return self._part(parts == 1 + np.argmax(areas), side) if len(areas) else self

    def _components(self) -> tuple[NDArray[np.integer], int]:
        """Return which part, from 1, each square block of pixels belongs to, and the blocks' side.

        A block is one pixel, unless the mask is so large that time and memory would run away; then
        parts less than a block apart count as one.
        """
        side = max(1, ceil(max(self.array.shape) / MAX_BLOCKS))
        blocks = self.array
        for axis in (0, 1) if side > 1 else ():
            starts = np.arange(0, self.array.shape[axis], side)
            blocks = np.logical_or.reduceat(blocks, starts, axis=axis)
        return label(blocks, connectivity=2), side

    def _index(self, y: float, x: float) -> tuple[int, int]:
        """Return the index in `array` of the pixel that holds the point (y, x)."""
        return floor(y + 0.5) - self.box[0], floor(x + 0.5) - self.box[1]

    def _part(self, blocks: NDArray[np.bool_], side: int) -> Mask:
        """Return the pixels of the mask in some of the blocks."""
        height, width = self.array.shape
        kept = blocks.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
        part = Mask.from_array(self.array & kept, *self.box[:2])
        return replace(self, box=part.box, array=part.array)


def clip_box(box: tuple[int, int, int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part of a half-open box inside a plane of `shape`; zero size if there is none."""
    y0, x0, y1, x1 = box
    height, width = shape
    y0, x0 = min(max(y0, 0), height), min(max(x0, 0), width)
    return y0, x0, max(y0, min(y1, height)), max(x0, min(x1, width))


def box_slices(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Return the slices of a half-open box."""
    return slice(box[0], box[2]), slice(box[1], box[3])
