"""Images to try the plugin on: two photographs and a field of cells made as it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skimage import data

from napari_sam.image.cells import cell_field as make_cell_field

if TYPE_CHECKING:
    from napari.types import LayerData


def coins() -> list[LayerData]:
    """Return Greek coins from Pompeii, 303 × 384."""
    return [(data.coins(), {"name": "coins"}, "image")]


def cell() -> list[LayerData]:
    """Return a cell in a quantitative phase image, 660 × 550."""
    return [(data.cell(), {"name": "cell"}, "image")]


def cell_field() -> list[LayerData]:
    """Return a field of cells, 20 000 × 20 000, of which only what is looked at is ever made."""
    levels = make_cell_field((20_000, 20_000))
    metadata: dict[str, Any] = {"name": "cells", "multiscale": True, "contrast_limits": (0, 255)}
    return [(levels, metadata, "image")]
