"""Pictures of how single objects came out: a number is read faster when its cases are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.segmentation import find_boundaries

TILE = 96
"""Samples of the crop that each tile shows, per side."""
ZOOM = 2
COLUMNS = 8
TRUTH, FOUND, BOTH, CLICK = (60, 220, 60), (255, 0, 220), (255, 255, 255), (255, 210, 0)
"""Colors of the outlines, of where they agree, and of the click."""


@dataclass(frozen=True)
class Example:
    """One object, and what was found where it was clicked.

    Attributes
    ----------
    image : (TILE, TILE, 3) uint8 array
    truth, found : (TILE, TILE) bool arrays
    click : (x, y)
        In the tile.
    iou : float
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]
    click: tuple[float, float]
    iou: float

    @classmethod
    def around(
        cls,
        click: tuple[float, float],
        image: NDArray[np.floating],
        truth: NDArray[np.bool_],
        found: NDArray[np.bool_],
        iou: float,
    ) -> Example:
        """Cut a tile around a click (x, y) from an image (C, h, w) in [0, 1] and two masks."""
        corner = [round(c) - TILE // 2 for c in reversed(click)]

        def cut(plane: NDArray[np.generic]) -> NDArray[np.generic]:
            padded = np.pad(plane, TILE)
            y, x = (c + TILE for c in corner)
            return padded[y : y + TILE, x : x + TILE].copy()

        channels = [cut(channel) for channel in np.broadcast_to(image, (3, *image.shape[1:]))]
        colors = (np.clip(np.stack(channels, axis=-1), 0, 1) * 255).astype(np.uint8)
        in_tile = (click[0] - corner[1], click[1] - corner[0])
        return cls(colors, cut(truth).astype(bool), cut(found).astype(bool), in_tile, iou)

    def draw(self) -> Image.Image:
        """Draw the tile with both outlines, the click and the IoU."""
        large = self.image.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
        outlines = [
            find_boundaries(mask.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1), mode="inner")
            for mask in (self.truth, self.found)
        ]
        large[outlines[0]], large[outlines[1]] = TRUTH, FOUND
        large[outlines[0] & outlines[1]] = BOTH
        picture = Image.fromarray(large)
        pen = ImageDraw.Draw(picture)
        x, y = ((c + 0.5) * ZOOM for c in self.click)
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=CLICK, outline=(0, 0, 0))
        pen.text((4, 2), f"{self.iou:.2f}", fill=(255, 255, 255), stroke_width=1, stroke_fill=0)
        return picture


def contact_sheet(examples: Sequence[Example]) -> Image.Image:
    """Draw three rows: the best, the median and the worst objects; truth green, found magenta.

    With few objects, one may be in several rows.

    Raises
    ------
    ValueError
        If there are no examples.
    """
    if not examples:
        raise ValueError("There are no objects to show.")
    ranked = sorted(examples, key=lambda example: -example.iou)
    middle = max(0, (len(ranked) - COLUMNS) // 2)
    rows = [ranked[:COLUMNS], ranked[middle : middle + COLUMNS], ranked[-COLUMNS:]]
    side = TILE * ZOOM + 4
    sheet = Image.new("RGB", (side * COLUMNS, side * len(rows)), (40, 40, 40))
    for i, row in enumerate(rows):
        for j, example in enumerate(row):
            sheet.paste(example.draw(), (j * side + 2, i * side + 2))
    return sheet
