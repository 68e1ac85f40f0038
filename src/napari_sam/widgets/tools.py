"""The tools of the mouse. A press and release at one place is a click with each of them."""

from __future__ import annotations

from enum import Enum


class Tool(Enum):
    """What a drag with the left button does."""

    CLICK = "click"
    BOX = "box"
    SCRIBBLE = "scribble"
    LASSO = "lasso"

    @property
    def draws(self) -> bool:
        """Whether a drag draws; else it pans, as always."""
        return self is not Tool.CLICK
