"""Discs, and a model and a finder that know them: fast, and the right answer is known."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import find_objects, label

from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.model.base import Model
from napari_sam.model.features import Features

RADIUS = 9


class PixelModel(Model):
    """Its features are the pixels."""

    name = "pixels"
    image_size = 256
    low_res_size = 64
    has_instance_maps = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def encode(self, windows):
        return Features((windows[:, :1].clone(),))

    def decode(self, *args, **kwargs):
        raise NotImplementedError


def find_discs(embeddings, window, settings, *_):
    """Find the bright parts; the darker a disc, the less sure of it."""
    pixels = embeddings.features(window).maps[0][0, 0].numpy()
    parts, _ = label(pixels > 0.3)
    masks = []
    for number, (rows, columns) in enumerate(find_objects(parts), 1):
        inside = parts[rows, columns] == number
        score = float(pixels[rows, columns][inside].mean())
        y, x = int(window.y) + rows.start, int(window.x) + columns.start
        masks.append(Mask.from_array(inside, y, x, predicted_iou=score, stability_score=0.9))
    return MaskTable.of(masks)


def draw_discs(shape, centers):
    """Return a dark image with discs from half to full brightness."""
    picture = np.zeros(shape, np.uint8)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for value, (y, x) in zip(np.linspace(130, 255, len(centers)), centers, strict=True):
        picture[(rows - y) ** 2 + (columns - x) ** 2 <= RADIUS**2] = value
    return picture


def spread(shape, n, apart=30):
    """Return centers of n discs that do not touch, row by row."""
    places = np.argwhere(np.ones((shape[0] // apart, shape[1] // apart), bool))
    return [tuple(place * apart + apart // 2) for place in places[:n]]
