"""An earlier mask as a prompt, wherever its window was."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_sam.prompts.interpolation import interpolation_matrix

CONFIDENT_LOGIT = float(np.log(0.999 / 0.001))
"""The logit (6.907) that stands for "certainly object", and its negative for "certainly not"."""


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """Mask logits over a rectangle of the plane; beyond it, certainly not the object.

    Parameters
    ----------
    logits : (h, w) float32 array
        Positive on the object.
    y, x : float
        Top left corner of the rectangle: level-0 pixel *edges*, so pixel 0 begins at 0.
    step : float
        Level-0 pixels per sample of `logits`.
    """

    logits: NDArray[np.float32] = field(repr=False)
    y: float
    x: float
    step: float

    def __post_init__(self) -> None:
        n_bad = int(np.count_nonzero(~np.isfinite(self.logits)))
        if self.logits.ndim != 2 or n_bad:
            raise ValueError(
                "A mask prompt needs a 2-D array of finite logits; found shape "
                f"{self.logits.shape}, {n_bad} of them not finite."
            )
        if not self.step > 0:
            raise ValueError(f"The step of a mask prompt is {self.step}; expected more than 0.")
        logits = np.array(self.logits, dtype=np.float32)
        logits.flags.writeable = False
        object.__setattr__(self, "logits", logits)

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_], y0: int, x0: int) -> MaskPrompt:
        """Make a prompt of a boolean mask (h, w) whose first pixel is (y0, x0) at level 0."""
        logits = np.where(mask, CONFIDENT_LOGIT, -CONFIDENT_LOGIT).astype(np.float32)
        return cls(logits, y=y0, x=x0, step=1)

    def resample(self, y: float, x: float, step: float, size: int) -> NDArray[np.float32]:
        """Return the logits on another grid.

        Parameters
        ----------
        y, x : float
            Top left corner of the grid: level-0 pixel edges.
        step : float
            Level-0 pixels per sample of the grid.
        size : int
            Samples per side.

        Returns
        -------
        (size, size) float32 array
            Interpolated, averaged where the grid is coarser. On the grid of the prompt itself, its
            own values, bit for bit.
        """
        if (y, x, step, (size, size)) == (self.y, self.x, self.step, self.logits.shape):
            return self.logits
        centers = (np.arange(size, dtype=np.float64) + 0.5) * step
        width = max(1.0, step / self.step)
        rows = (y + centers - self.y) / self.step - 0.5
        columns = (x + centers - self.x) / self.step - 0.5
        height_in, width_in = self.logits.shape
        above_outside = self.logits + CONFIDENT_LOGIT
        resampled = (
            interpolation_matrix(rows, height_in, width)
            @ above_outside
            @ interpolation_matrix(columns, width_in, width).T
        )
        return (resampled - CONFIDENT_LOGIT).astype(np.float32)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskPrompt):
            return NotImplemented
        return (self.y, self.x, self.step) == (other.y, other.x, other.step) and np.array_equal(
            self.logits, other.logits
        )
