"""What instance maps must show for an object to be there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class SeedSettings:
    """What counts as an object and as its middle, on maps that run from 0 to 1.

    Attributes
    ----------
    foreground : float
        Where the probability of foreground is higher, there are objects.
    seed : float
        Where the depth is higher (1 in the middle of an object, 0 at its edge), there are seeds;
        lower for more, and more pieces.
    smoothing : float
        Standard deviation, in samples of the window, by which the depth is blurred, so that ripples
        do not become seeds.
    overlap : float
        Of two masks found from seeds, the one with the lower score is dropped if they share more
        than this part of the smaller one.
    score : float
        Regions with a lower `Region.score` are left out. Noise without objects reaches 0.65.
    """

    foreground: float = 0.5
    seed: float = 0.5
    smoothing: float = 2.0
    overlap: float = 0.5
    score: float = 0.65

    def __post_init__(self) -> None:
        for name in ("foreground", "seed", "score", "overlap"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ValueError(f"{name} is {value}; expected a number from 0 to 1.")
        if not 0 <= self.smoothing < inf:
            raise ValueError(f"smoothing is {self.smoothing}; expected 0 samples or more.")
