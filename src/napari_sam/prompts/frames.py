"""From the coordinates of a prompt layer to pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Frame:
    """An affine map from the data coordinates of a prompt layer to level-0 pixels of an image.

    Parameters
    ----------
    matrix : (M + 1, N + 1) float array
        Homogeneous, for N axes of the prompt layer and M axes of the image, without its channels.
    """

    matrix: NDArray[np.float64]

    @classmethod
    def between(
        cls,
        prompts_to_world: ArrayLike,
        image_to_world: ArrayLike,
        *,
        unit_factors: ArrayLike = 1.0,
        world_point: ArrayLike | None = None,
    ) -> Frame:
        """Compose the map from where the two layers lie in the world.

        Axes are aligned at the right, as napari does: the last axis of one layer is the last of the
        other. Further leading axes of the prompt layer mean nothing in the image and are dropped.

        Parameters
        ----------
        prompts_to_world : (N + 1, N + 1) array-like
            Homogeneous matrix, data coordinates of the prompt layer to world coordinates in the
            units of that layer.
        image_to_world : (M + 1, M + 1) array-like
            The same for the image.
        unit_factors : array-like, broadcastable to (min(N, M),)
            How many units of the image one unit of the prompt layer is, per shared axis.
        world_point : (M,) array-like, optional
            Where the user is (the sliders), in units of the image. Gives the leading axes that a
            prompt layer of fewer axes than the image does not have.

        Raises
        ------
        ValueError
            If a matrix is not square, finite and invertible, or `world_point` is needed and missing
            or of another length.
        """
        prompts = _parse_affine(prompts_to_world, "prompt layer")
        image = _parse_affine(image_to_world, "image")
        n, m = len(prompts) - 1, len(image) - 1
        shared = min(n, m)
        to_world = np.zeros((m + 1, n + 1))
        to_world[m - shared : m] = (
            prompts[n - shared : n] * np.broadcast_to(unit_factors, (shared,))[:, None]
        )
        to_world[-1, -1] = 1
        if m > n:
            to_world[: m - n, -1] = _parse_world_point(world_point, m)[: m - n]
        return cls(np.linalg.solve(image, to_world).astype(np.float64))

    def map_points(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map (K, N) points of the layer to (K, M) image pixels: plane axes, row, column."""
        points = np.asarray(points, dtype=np.float64)
        n = self.matrix.shape[1] - 1
        points = points.reshape(0, n) if points.size == 0 else points
        if points.ndim != 2 or points.shape[1] != n:
            raise ValueError(
                f"The points have shape {points.shape}; expected (K, {n}), as the prompt layer has "
                f"{n} axes."
            )
        return points @ self.matrix[:-1, :-1].T + self.matrix[:-1, -1]

    def map_box(self, corners: ArrayLike) -> NDArray[np.float64]:
        """Return the box (y0, x0, y1, x1) around the mapped corners (K, N) of a shape."""
        mapped = self.map_points(corners)[:, -2:]
        if len(mapped) == 0:
            raise ValueError("A box needs at least one corner; found none.")
        return np.concatenate([mapped.min(axis=0), mapped.max(axis=0)])


def _parse_affine(matrix: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 3:
        raise ValueError(
            f"The matrix of the {what} has shape {array.shape}; expected a square homogeneous one, "
            "at least (3, 3)."
        )
    if not np.isfinite(array).all() or np.linalg.matrix_rank(array[:-1, :-1]) < len(array) - 1:
        raise ValueError(
            f"The matrix of the {what} cannot be inverted: {array.tolist()}. Give the layer "
            "a scale other than zero."
        )
    return array


def _parse_world_point(world_point: ArrayLike | None, n_axes: int) -> NDArray[np.float64]:
    if world_point is None:
        raise ValueError(
            f"The image has {n_axes} axes and the prompt layer fewer; pass world_point, the "
            "position of the sliders, for the axes that the prompts do not have."
        )
    point = np.asarray(world_point, dtype=np.float64)
    if point.shape != (n_axes,) or not np.isfinite(point).all():
        raise ValueError(
            f"world_point is {point.tolist()}; expected {n_axes} finite numbers, one per axis of "
            "the image."
        )
    return point
