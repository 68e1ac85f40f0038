"""Which window to look through: the tile of the prompts, or one that follows the object."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.embeddings import MIN_STEP, Embeddings
from napari_sam.image.window import Window
from napari_sam.masks.mask import Mask
from napari_sam.prompts.prompts import Prompts

MAX_PIXELS = 1 << 28
"""Image pixels that a window may show: a mask of all of them takes 256 MB."""


def first_step(
    embeddings: Embeddings, step: float | None = None, object_diameter: float | None = None
) -> float:
    """Return how fine to look: the base step, if nothing tells otherwise.

    Of an object of known size, the step closest to the base step is chosen at which it measures
    what suits the model (`Model.object_samples`).

    Parameters
    ----------
    embeddings : Embeddings
        Of the image.
    step : float, optional
        Level-0 pixels per sample, a power of two; not to be finer than that.
    object_diameter : float, optional
        In level-0 pixels.

    Raises
    ------
    ValueError
        If the step is no power of two, or windows of it show more than `MAX_PIXELS`; or the
        diameter is no positive number.
    """
    chosen = embeddings.base_step if step is None else embeddings.grid(step).step
    if object_diameter is not None:
        if not 0 < object_diameter < math.inf:
            raise ValueError(
                f"The diameter of an object is a positive number of pixels, found "
                f"{object_diameter}."
            )
        fitting = step_for(embeddings, object_diameter)
        chosen = fitting if step is None else max(fitting, chosen)
    if shows_too_much(embeddings, chosen):
        raise ValueError(
            f"Windows of step {chosen:g} show too much of the image at once: choose a smaller step "
            f"or diameter, or open a coarser level of the image."
        )
    return chosen


def step_for(embeddings: Embeddings, diameter: float) -> float:
    """Return the step, as close to the base step as possible, that suits an object's diameter."""
    least, most = embeddings.model.object_samples
    step = embeddings.base_step
    while diameter / step > most:
        step *= 2
    while diameter / step < least and step > MIN_STEP:
        step /= 2
    return step


def first_window(
    embeddings: Embeddings,
    prompts: Prompts,
    plane: tuple[int, ...],
    step: float | None = None,
    object_diameter: float | None = None,
    *,
    ready: Callable[[Window], bool] | None = None,
) -> Window:
    """Return the finest window that holds the box and all positive points, with a margin.

    The tile of the last positive point, or of the box, where that will do, because a tile is shared
    by all objects in it; else a window around them. Negative points have no say. Not finer than
    `first_step` tells of `step` and `object_diameter`; but without a `step`, what a small box holds
    is magnified, and so is what an earlier mask has found small; what it has found through a
    coarser window is corrected through one. In a preview only if that window is `ready`: while a
    box is being drawn, it passes through all sizes.

    Raises
    ------
    ValueError
        If it would show more than `MAX_PIXELS`.
    """
    plain = first_step(embeddings, step, object_diameter)
    size = _size_of(prompts, object_diameter) if step is None else None
    if size is not None:
        fitting = min(step_for(embeddings, size), _coarsest(embeddings, prompts))
        window = window_of(embeddings, prompts, plane, fitting)
        if ready is None or ready(window):
            return window
    return window_of(embeddings, prompts, plane, plain)


def window_of(
    embeddings: Embeddings, prompts: Prompts, plane: tuple[int, ...], step: float
) -> Window:
    """Return the window that holds the box and all positive points, of this step or a coarser one.

    Raises
    ------
    ValueError
        If it would show more than `MAX_PIXELS`.
    """
    region = _region(prompts, embeddings.image.shape_yx)
    anchor = prompts.positives[-1] if len(prompts.positives) else _center(region)
    while not shows_too_much(embeddings, step):
        tile = embeddings.window_at(*anchor, step=step, plane=plane)
        if embeddings.holds(tile, region.tolist()):
            return tile
        around = embeddings.window_around(region.tolist(), step=step, plane=plane)
        if embeddings.holds(around, region.tolist()):
            return around
        step *= 2
    height, width = np.ceil(region[2:] - region[:2] + 1).astype(int).tolist()
    raise ValueError(
        f"The box or the positive points span {height} by {width} pixels, too many for one object; "
        f"prompt one object at a time, or open a coarser level of the image."
    )


def shows_too_much(embeddings: Embeddings, step: float) -> bool:
    """Whether windows of this step can show more than `MAX_PIXELS` of the image."""
    height, width = np.minimum(embeddings.image.shape_yx, embeddings.model.image_size * step)
    return bool(height * width > MAX_PIXELS)


def cut_sides(embeddings: Embeddings, window: Window, mask: Mask) -> NDArray[np.bool_]:
    """Return at which sides (top, left, bottom, right) the window cuts a mask.

    That is, where the mask reaches the edge of the window and the image goes on.
    """
    # One low-resolution logit is as exact as a mask knows its own edge.
    margin = window.step * embeddings.model.image_size / embeddings.model.low_res_size
    return _close_sides(embeddings, window, _box_of(mask), margin)


def next_window(embeddings: Embeddings, window: Window, prompts: Prompts, part: Mask) -> Window:
    """Return a window that shows more of an object that `window` cuts.

    Parameters
    ----------
    embeddings : Embeddings
        Of the image.
    window : Window
        Where the object was looked for.
    prompts : Prompts
        Whose positive points the new window shows too.
    part : Mask
        The object, as far as `window` shows it.

    Returns
    -------
    Window
        Of the same step, with as much room as possible beyond the cut sides; of the double, if the
        part is larger than a core.
    """
    region = _around(_box_of(part), _region(prompts, embeddings.image.shape_yx))
    cut = cut_sides(embeddings, window, part).reshape(2, 2)
    step = window.step
    while True:
        grid = embeddings.grid(step)
        room = grid.core_units * grid.unit - (region[2:] - region[:2] + 1)
        if (room >= 0).all():
            start, stop = cut * room / np.maximum(cut.sum(axis=0), 1)
            wider = [*(region[:2] - start), *(region[2:] + stop)]
            around = embeddings.window_around(wider, step=step, plane=window.plane)
            if around != window:
                return around
        step *= 2


def in_window(window: Window, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of (N, 2) points lie in the window."""
    samples = window.to_window(points)
    return np.all((samples >= -0.5) & (samples < window.size - 0.5), axis=1)


def _coarsest(embeddings: Embeddings, prompts: Prompts) -> float:
    """Return the base step, or the coarser one at which an earlier mask was found."""
    if prompts.mask is None or prompts.box is not None:
        return embeddings.base_step
    model = embeddings.model
    return max(embeddings.base_step, prompts.mask.step * model.low_res_size / model.image_size)


def _size_of(prompts: Prompts, object_diameter: float | None) -> float | None:
    """Return the diameter that a box tells, or, where that is not known, an earlier mask."""
    if prompts.box is not None:
        height, width = prompts.box[2:] - prompts.box[:2] + 1
        return math.sqrt(height * width)
    if prompts.mask is None or object_diameter is not None:
        return None
    area = np.count_nonzero(prompts.mask.logits > 0) * prompts.mask.step**2
    return max(diameter_of(area), float(np.ptp(prompts.positives, axis=0).max())) if area else None


def diameter_of(area: float) -> float:
    """Return the diameter of the disc of an area."""
    return math.sqrt(4 / math.pi * area)


def _region(prompts: Prompts, shape_yx: tuple[int, int]) -> NDArray[np.float64]:
    """Return the box (y0, x0, y1, x1), at pixel centers, around box and positive points."""
    boxes = [np.tile(point, 2) for point in prompts.positives]
    if prompts.box is not None:
        boxes.append(prompts.box)
    region = reduce(_around, boxes)
    height, width = shape_yx
    return np.clip(region, 0, [height - 1, width - 1] * 2)


def _around(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])


def _center(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return (box[:2] + box[2:]) / 2


def _box_of(mask: Mask) -> NDArray[np.float64]:
    """Return a mask's box as (y0, x0, y1, x1) at pixel centers."""
    y0, x0, y1, x1 = mask.box
    return np.array([y0, x0, y1 - 1, x1 - 1], dtype=np.float64)


def _close_sides(
    embeddings: Embeddings, window: Window, box: NDArray[np.float64], margin: float
) -> NDArray[np.bool_]:
    """Return at which sides a box comes closer than `margin` to an edge inside the image.

    Parameters
    ----------
    embeddings : Embeddings
        Of the image.
    window : Window
        With the edges.
    box : (4,) float array
        (y0, x0, y1, x1) at level-0 pixel centers.
    margin : float
        In level-0 pixels.

    Returns
    -------
    (4,) bool array
        Top, left, bottom, right.
    """
    y0, x0, y1, x1 = window.extent
    height, width = embeddings.image.shape_yx
    distance = np.concatenate([box[:2] - (y0, x0), (y1, x1) - (box[2:] + 1)])
    image_goes_on = np.array([y0 > 0, x0 > 0, y1 < height, x1 < width])
    return (distance < margin) & image_goes_on
