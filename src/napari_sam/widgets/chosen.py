"""How objects are made, as it has been chosen."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.labels.write import Overlap
from napari_sam.widgets.looking import StepChoice

ASKS_ANEW = frozenset({"step", "object_diameter", "neighbors"})
"""Choices that may change what the model answers to the same prompts."""


@dataclass(frozen=True)
class Chosen:
    """Choices apart from layers and the model; see the properties of `Choices`."""

    step: StepChoice = "zoom"
    object_diameter: float | None = None
    overlap: Overlap = "keep"
    turbo: bool = False
    neighbors: bool = True
    preferred_rank: int | None = None
    preserves: bool = False
    """The switch *preserve labels* of the layer, which makes every rule "keep"."""

    @property
    def rule(self) -> Overlap:
        """What happens to objects under a new one."""
        return "keep" if self.preserves else self.overlap
