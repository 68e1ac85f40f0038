"""How long is trained on what, and how fast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A stretch of training with crops of one size.

    Parameters
    ----------
    steps, size, n_crops : int
        Length of the stage, side of the crops, crops per step.
    n_objects : int
        Objects to be prompted for in each crop; 0 trains the encoder by the instance head alone.
    frozen_norm : bool
        Normalize by the running statistics, as in use.
    rate : float
        Learning rate, after a warm-up.
    cools : bool
        Whether the learning rate falls to nothing over the stage.
    """

    steps: int
    size: int
    n_crops: int
    n_objects: int
    frozen_norm: bool = False
    rate: float = 1e-3
    cools: bool = False

    def learning_rate(self, steps_in_stage: int) -> float:
        """Rise over 150 steps, then stay, or fall linearly to a hundredth."""
        warm = min(1.0, (steps_in_stage + 1) / 150)
        left = 1 - steps_in_stage / self.steps if self.cools else 1.0
        return self.rate * warm * max(left, 0.01)


STAGES = (
    Stage(600, 256, 8, 0),
    Stage(12000, 256, 6, 5),
    Stage(2500, 512, 2, 8, frozen_norm=True, rate=6e-4, cools=True),
)
"""The encoder first learns to tell objects at every pixel, which is six times cheaper than prompts
and gives the decoder something to look at. The rate then stays, so that the long stage may end
whenever there is no more time (Hägele et al. 2024); the last one cools, at the size in use."""
