"""Answers of a well-trained SAM, simulated, for a network whose weights are random.

Without trained weights nothing is found twice, so what it saves not to look again cannot be seen.
Here the objects of an image are known, and a network computes everything as usual; but its answers
are replaced, at the last moment, by what a SAM would tell that knows them. So costs are real, and
answers are not: such a run shows how much time a search takes, and nothing about quality.

At a point in an object these are the object, its inner part, and the object with its neighbors;
the first is mostly predicted well, the others rarely. At a point of the background they are the
background, predicted badly. No two points of an object get the same answers: outlines are bent,
and predictions changed a little, by numbers drawn anew for each point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.model.sam import Sam
from napari_sam.train.synthetic.cells_of_tissue import draw_regions
from napari_sam.train.synthetic.shapes import connected, scatter

Answer = TypeVar("Answer")

SCALE = 4
"""Pixels of the window along a low-resolution one."""

SLOPE, LIMIT = 12.0, 20.0
"""Of logits across an outline, by low-resolution pixel; and the largest."""

BEND = 0.25
"""Low-resolution pixels by which outlines differ between points (standard deviation)."""

OBJECT, OTHER, BACKGROUND = (0.94, 0.03), (0.8, 0.05), (0.5, 0.1)
"""Predicted IoU of shapes: mean, standard deviation."""

WAVER = 0.015
"""Standard deviation of the predicted IoU of one shape, from point to point."""

MARGIN, GAP = 16, 4
"""Pixels around a shape whose logits are drawn; and between cells."""


def draw_cells(n_cells: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw some `n_cells` cells side by side, dark with bright membranes: gray, and labels."""
    rng = np.random.default_rng(n_cells)
    spacing = side / n_cells**0.5
    centers = scatter(rng, (side, side), spacing, 1.0)
    centers = centers[((centers >= 0) & (centers < side)).all(axis=1)]
    labels, border = draw_regions(rng, (side, side), centers, 0.06 * spacing, 0.5 * spacing)
    light = 40 + 180 * np.exp(-((border / GAP) ** 2)) + rng.normal(0, 12, border.shape)
    inside = connected(np.where(border > GAP / 2, labels, 0))
    areas = np.bincount(inside.ravel())
    inside[areas[inside] < 0.1 * spacing**2] = 0  # slivers at the edge of the image
    return light.clip(0, 255).astype(np.uint8), inside


class Shape(NamedTuple):
    """What may be answered.

    Attributes
    ----------
    y, x : int
        Low-resolution pixel where `depth` begins.
    depth : (h, w) float32 array
        How far within the outline pixels lie, negative outside, in low-resolution pixels.
    iou : float
        Its predicted IoU.
    """

    y: int
    x: int
    depth: NDArray[np.float32]
    iou: float


class TrainedAnswers:
    """What a trained SAM would answer at a point of an image whose objects are known.

    Parameters
    ----------
    labels : (H, W) int array
        The objects, in samples of the window; 0 is background.

    Attributes
    ----------
    n_asked : int
        At how many points.
    seconds : float
        CPU time that it took to make the answers, which no network would need.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        self.labels, self.n_asked, self.seconds = labels, 0, 0.0
        self._points = torch.zeros(0, 2)
        self._tokens = torch.zeros(0)
        numbers = np.unique(labels[labels > 0]).tolist()
        random = np.random.default_rng(0)
        background = shape_of(labels == 0, random.normal(*BACKGROUND))
        self._shapes = {0: (background, background, background)}
        self._shapes |= {number: shapes_at(labels, number, random) for number in numbers}

    def objects(self) -> Iterator[NDArray[np.bool_]]:
        """Yield (H, W) masks of the objects."""
        return (self.labels == number for number in self._shapes if number)

    def replace_those_of(self, network: Any) -> None:
        """Let our `Sam`, or that of a reference package, give these answers from now on."""
        decoder = network.mask_decoder
        network.prompt_encoder.register_forward_pre_hook(self._see, with_kwargs=True)
        if not isinstance(network, Sam):
            decoder.register_forward_hook(lambda *_: self._replaced(self._both))
            return
        predicted_iou, masks = decoder.predicted_iou, decoder.masks

        def predict(tokens: torch.Tensor) -> torch.Tensor:
            self._tokens = tokens
            predicted_iou(tokens)
            return self._replaced(self._ious)

        def make(tokens: torch.Tensor, *others: Any) -> torch.Tensor:
            masks(tokens, *others)
            return self._replaced(lambda: self._logits(same_rows(tokens, self._tokens)))

        decoder.predicted_iou, decoder.masks = predict, make

    def _see(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Remember the points of a prompt, which tell what to answer."""
        points = args[0] if args else kwargs["points"]
        xy = points[0] if isinstance(points, tuple) else points
        self._points = xy[:, 0]
        self.n_asked += len(xy)

    def _replaced(self, answer: Callable[[], Answer]) -> Answer:
        """Return an answer, and count the time that it takes."""
        start = time.process_time()
        answered = answer()
        self.seconds += time.process_time() - start
        return answered

    def _both(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._logits(), self._ious()[:, 1:]

    def _random(self, xy: torch.Tensor) -> np.random.Generator:
        return np.random.default_rng(xy.round().int().tolist())  # the same in every way

    def _shapes_at(self, xy: torch.Tensor) -> tuple[Shape, Shape, Shape]:
        x, y = xy.round().int().tolist()
        return self._shapes[int(self.labels[y, x])]

    def _ious(self) -> torch.Tensor:
        """Return (N, 4) predicted IoUs; the first is of the single mask, which nobody asks for."""
        rows = []
        for xy in self._points:
            ious = [shape.iou for shape in self._shapes_at(xy)]
            rows.append([0, *self._random(xy).normal(ious, WAVER)])
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    def _logits(self, rows: list[int] | None = None) -> torch.Tensor:
        """Return (N, 3, L, L) logits of the points, or of some of them."""
        points = self._points if rows is None else self._points[rows]
        side = len(self.labels) // SCALE
        logits = np.full((len(points), 3, side, side), -LIMIT, np.float32)
        for one, xy in zip(logits, points, strict=True):
            random = self._random(xy)
            for logit, (y, x, depth, _) in zip(one, self._shapes_at(xy), strict=True):
                bent = SLOPE * (depth + bend(random, depth.shape))
                height, width = depth.shape
                logit[y : y + height, x : x + width] = bent.clip(-LIMIT, LIMIT)
        return torch.from_numpy(logits)


def same_rows(some: torch.Tensor, all_rows: torch.Tensor) -> list[int]:
    """Return which rows of one tensor those of another are."""
    is_same = (some[:, None] == all_rows[None]).flatten(2).all(dim=2)
    found: list[int] = is_same.byte().argmax(dim=1).tolist()
    return found


def shapes_at(
    labels: NDArray[np.int32], number: int, random: np.random.Generator
) -> tuple[Shape, Shape, Shape]:
    """Return the inner part of an object, the object, and the object with its neighbors."""
    y, x = (slice(max(0, i.min() - 2 * GAP), i.max() + 2 * GAP) for i in np.where(labels == number))
    near = ndimage.binary_dilation(labels[y, x] == number, iterations=2 * GAP)
    group = np.isin(labels, np.setdiff1d(labels[y, x][near], 0))
    itself = shape_of(labels == number, random.normal(*OBJECT))
    depth = itself.depth - 0.4 * itself.depth.max()
    inner = itself._replace(depth=depth, iou=random.normal(*OTHER))
    return inner, itself, shape_of(group, random.normal(*OTHER))


def shape_of(mask: NDArray[np.bool_], iou: float) -> Shape:
    """Measure a mask of the window."""
    sides = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    start = [max(0, i[0] - MARGIN) // SCALE for i in sides]
    stop = [min(n, i[-1] + MARGIN) // SCALE for i, n in zip(sides, mask.shape, strict=True)]
    y, x = (slice(SCALE * a, SCALE * b) for a, b in zip(start, stop, strict=True))
    inside, outside = (ndimage.distance_transform_edt(m) for m in (mask[y, x], ~mask[y, x]))
    depth = ((inside - outside) / SCALE).astype(np.float32)
    blocks = depth.reshape(len(depth) // SCALE, SCALE, -1, SCALE)
    return Shape(start[0], start[1], blocks.mean(axis=(1, 3)), iou)


def bend(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return by how much to shift an outline: all of it, and in waves of 20 low-resolution px."""
    (y, x), (a, b) = np.ogrid[: shape[0], : shape[1]], 2 * np.pi * random.random(2)
    waves = np.sin(0.3 * y + a) + np.sin(0.3 * x + b)  # of deviation 1
    return np.asarray(BEND / 2**0.5 * (random.normal() + waves), np.float32)
