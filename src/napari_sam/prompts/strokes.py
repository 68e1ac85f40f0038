"""Strokes of the hand as prompts: points along a scribble, and the filled outline of a lasso."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.draw import polygon

from napari_sam.prompts.mask_prompt import CONFIDENT_LOGIT, MaskPrompt

MOST_POINTS = 8
"""Of one scribble. The models learned from a handful of clicks, not from a hundred."""

LASSO_SAMPLES = 256
"""Samples along the longer side of a lasso, as many as a model's mask prompt has."""

MOST_VERTICES = 64
"""Of an outline that is kept to be shown again."""


def points_along(path: ArrayLike, apart: float) -> NDArray[np.float64]:
    """Return points at equal distances along a scribble, its two ends among them.

    Parameters
    ----------
    path : (N, 2) array-like of float
        The way of the hand, (row, column).
    apart : float
        About how far from each other, in pixels; farther if that would be more than eight points.

    Returns
    -------
    (K, 2) float array
        The middle alone, if the path is shorter than `apart`.

    Raises
    ------
    ValueError
        If the path is no (N, 2) array of finite numbers with at least one row.
    """
    vertices = _parse_path(path, least=1)
    lengths = np.hypot(*np.diff(vertices, axis=0).T)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    n_points = min(MOST_POINTS, int(at[-1] // apart) + 1)
    wanted = np.linspace(0, at[-1], n_points) if n_points > 1 else at[-1:] / 2
    return np.stack([np.interp(wanted, at, vertices[:, axis]) for axis in (0, 1)], axis=1)


def fill_outline(path: ArrayLike) -> tuple[MaskPrompt, NDArray[np.float64]]:
    """Return the inside of a lasso as a mask prompt, and its box.

    Parameters
    ----------
    path : (N, 2) array-like of float
        The outline, (row, column) in level-0 pixels with pixel centers at integers; it is closed.

    Returns
    -------
    mask : MaskPrompt
        Sampled coarsely if the lasso is large.
    box : (4,) float array
        (y0, x0, y1, x1), the outermost vertices.

    Raises
    ------
    ValueError
        If the path is no (N, 2) array of finite numbers with at least three rows, or encloses
        nothing.
    """
    vertices = _parse_path(path, least=3)
    box = np.concatenate([vertices.min(axis=0), vertices.max(axis=0)])
    sides = box[2:] - box[:2] + 1
    step = max(1.0, float(sides.max()) / LASSO_SAMPLES)
    shape = tuple(np.ceil(sides / step).astype(int).tolist())
    inside = np.zeros(shape, bool)
    rows, columns = ((vertices - box[:2] + 0.5) / step - 0.5).T
    inside[polygon(rows, columns, shape)] = True
    if not inside.any():
        raise ValueError("The outline encloses nothing; draw it around the object.")
    logits = np.where(inside, CONFIDENT_LOGIT, -CONFIDENT_LOGIT).astype(np.float32)
    return MaskPrompt(logits, y=float(box[0]), x=float(box[1]), step=step), box


def thin_outline(path: ArrayLike) -> NDArray[np.float64]:
    """Return a closed outline of at most `MOST_VERTICES`, at equal distances if it had more.

    Parameters
    ----------
    path : (N, 2) array-like of float
        The outline, (row, column).

    Returns
    -------
    (K, 2) float array

    Raises
    ------
    ValueError
        If the path is no (N, 2) array of finite numbers with at least three rows.
    """
    vertices = _parse_path(path, least=3)
    if len(vertices) <= MOST_VERTICES:
        return vertices
    ring = np.vstack([vertices, vertices[:1]])
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    wanted = np.linspace(0, at[-1], MOST_VERTICES, endpoint=False)
    return np.stack([np.interp(wanted, at, ring[:, axis]) for axis in (0, 1)], axis=1)


def _parse_path(path: ArrayLike, least: int) -> NDArray[np.float64]:
    vertices = np.asarray(path, dtype=np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < least:
        raise ValueError(
            f"The path has shape {vertices.shape}; expected (N, 2): at least {least} (row, column) "
            "pairs."
        )
    if not np.isfinite(vertices).all():
        raise ValueError("The path holds NaN or infinity; give real positions.")
    return vertices
