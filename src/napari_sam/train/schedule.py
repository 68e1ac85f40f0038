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
    rate : float
        Learning rate, after a warm-up.
    cools : bool
        Whether the learning rate falls to nothing over the stage.
    synthetic_share : float
        Share of the crops that are drawn, not cut from real images.
    diameters : (float, float)
        Range to which a plane's median object is scaled, log-uniformly, in pixels of the crop.
    """

    steps: int
    size: int
    n_crops: int
    n_objects: int
    rate: float = 1e-3
    cools: bool = False
    synthetic_share: float = 0.4
    diameters: tuple[float, float] = (10.0, 115.0)

    def learning_rate(self, steps_in_stage: int) -> float:
        """Rise over 150 steps, then stay, or fall linearly to a hundredth."""
        warm = min(1.0, (steps_in_stage + 1) / 150)
        left = 1 - steps_in_stage / self.steps if self.cools else 1.0
        return self.rate * warm * max(left, 0.01)


STAGES = (
    Stage(600, 256, 8, 0),
    Stage(7000, 256, 6, 5),
    Stage(3800, 256, 8, 4, cools=True, synthetic_share=0.25, diameters=(14.0, 90.0)),
)
"""The encoder first learns to tell objects at every pixel, which is six times cheaper than prompts
and gives the decoder something to look at. The rate then stays, so that the long stage may end
whenever there is no more time (Hägele et al. 2024). The last one cools, over more real images at
the scales in use. Windows of 512 are answered as well as the crops of 256 are, so that no stage of
larger crops is needed: a mask of theirs costs four times as much."""
