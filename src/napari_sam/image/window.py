"""The square of an image that the model sees, as pure geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Window:
    """A square of one plane: `size` by `size` samples, each `step` level-0 pixels wide.

    Pixel and sample *centers* stand at integers, so pixel 0 reaches from edge -0.5 to edge 0.5
    in center coordinates. The origin of a window counts *edges* from the image corner instead:
    a window at ``y = 3`` starts with pixel 3, all of it.

    Attributes
    ----------
    y, x : float
        Top-left corner, in level-0 pixels from the corner of the image; a multiple of `step`
        below 1, an integer otherwise. The window covers ``[y, y + size * step)``.
    size : int
        Samples per side.
    step : float
        Level-0 pixels per sample, a power of two: 2 is half the resolution, 0.5 magnifies twice.
    plane : tuple of int
        Index of the axes in front of Y and X; ``()`` for a 2-D image.
    """

    y: float
    x: float
    size: int
    step: float = 1.0
    plane: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"A window needs a size of at least 1 sample, found {self.size}.")
        if not is_power_of_two(self.step):
            raise ValueError(
                f"The step of a window is a power of two such as 0.5, 1 or 2, found {self.step}."
            )
        grain = min(self.step, 1)
        if self.y % grain or self.x % grain:
            raise ValueError(
                f"A window with step {self.step} starts at a multiple of {grain} pixels, "
                f"found ({self.y}, {self.x})."
            )

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Edges (y0, x0, y1, x1) in level-0 pixels from the image corner, half-open."""
        side = self.size * self.step
        return (self.y, self.x, self.y + side, self.x + side)

    def to_window(self, yx: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) level-0 pixel-center coordinates to sample-center coordinates."""
        return (np.asarray(yx, np.float64) + 0.5 - (self.y, self.x)) / self.step - 0.5

    def to_image(self, yx: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) sample-center coordinates to level-0 pixel-center coordinates."""
        return (np.asarray(yx, np.float64) + 0.5) * self.step + (self.y, self.x) - 0.5


def is_power_of_two(number: float) -> bool:
    """Tell whether `number` is 2 to an integer power (1/4, 1/2, 1, 2, …)."""
    return number > 0 and math.isfinite(number) and math.frexp(number)[0] == 0.5
