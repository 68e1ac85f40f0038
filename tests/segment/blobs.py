"""A model that keeps the pixels, and a finder that takes every bright connected part of a window.

So the right answer for tiles is what one window over the whole plane gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import nn

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, Window, open_image
from napari_sam.masks import Mask, MaskTable
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.segment import find
from napari_sam.segment.settings import FindSettings

SIZE, HALO = 64, 8


class PixelModel(Model):
    """Its features are the pixels; so fast that many tiles are no burden."""

    name = "pixels"
    image_size = SIZE
    low_res_size = SIZE
    has_instance_maps = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # tells the device

    def encode(self, windows: torch.Tensor) -> Features:
        return Features((windows[:, :1].clone(),))

    def decode(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        raise NotImplementedError


def find_blobs(
    embeddings: Embeddings, window: Window, settings: FindSettings, *_: object
) -> MaskTable:
    """Return the connected parts above a half; touching ones differ in brightness."""
    shape_yx = embeddings.image.shape_yx
    pixels = np.rint(embeddings.features(window).maps[0][0, 0].numpy() * 255).astype(np.uint8)
    step = int(window.step)
    masks = []
    for value in np.unique(pixels[pixels > 127]).tolist():
        parts, _ = label(pixels == value, np.ones((3, 3)))
        for number, (rows, columns) in enumerate(find_objects(parts), 1):
            array = (parts[rows, columns] == number).repeat(step, 0).repeat(step, 1)
            y, x = int(window.y) + rows.start * step, int(window.x) + columns.start * step
            array = array[: shape_yx[0] - y, : shape_yx[1] - x]
            masks.append(Mask.from_array(array, y, x, predicted_iou=0.9, stability_score=1.0))
    return MaskTable.of(masks)


def install() -> None:
    """Let mode "seeds" take blobs in this process."""
    find.FINDERS["seeds"] = find_blobs


def embed(pixels: NDArray[np.uint8] | Path | Any, halo: int = HALO, **options: Any) -> Embeddings:
    """Return the embeddings of a bright-on-dark uint8 image."""
    image = open_image(pixels, intensity=Intensity((0,), (255,)), **options)
    return Embeddings(image, PixelModel(), halo=halo)


def paint_discs(
    shape: tuple[int, int], discs: list[tuple[float, float, float]]
) -> NDArray[np.uint8]:
    """Return an image of discs (row, column, radius), of various brightness, the later on top."""
    pixels = np.zeros(shape, np.uint8)
    for i, (y, x, radius) in enumerate(discs):
        y0, x0 = max(int(y - radius), 0), max(int(x - radius), 0)
        y1, x1 = int(y + radius) + 2, int(x + radius) + 2
        part = pixels[y0:y1, x0:x1]
        rows, columns = np.ogrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        part[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 160 + i % 90
    return pixels


def whole(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the labels of the blobs of a plane, found in one piece."""
    labels, n = np.zeros(pixels.shape, np.int64), 0
    for value in np.unique(pixels[pixels > 127]).tolist():
        parts, count = label(pixels == value, np.ones((3, 3)))
        labels[parts > 0] = parts[parts > 0] + n
        n += count
    return labels


def is_same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    """Whether two label images are equal but for the numbers."""
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    has_zero = ((pairs == 0).any(axis=0) == (pairs == 0).all(axis=0)).all()
    lengths = {len(np.unique(pairs[0])), len(np.unique(pairs[1])), pairs.shape[1]}
    return bool(has_zero) and len(lengths) == 1


def content(path: Path) -> dict[str, bytes]:
    """Return what all files in a folder hold."""
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}
