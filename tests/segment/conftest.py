"""A model whose right answer is known: it cuts out what is bright around the prompts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.measure import label as connected_parts
from torch import nn

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.model.base import Model
from napari_sam.model.features import Features

SIZE = 128


class BrightPartModel(Model):
    """Segments the bright connected part under a positive point, or most of which is in the box.

    Of three masks the middle one is right and says so. A mask prompt adds what it holds.
    """

    name = "bright part"
    image_size = SIZE
    low_res_size = SIZE // 2
    object_samples = (14, 32)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # tells the device
        self.n_encoded = 0
        self.decoded: list[dict] = []

    def encode(self, windows):
        self.n_encoded += len(windows)
        height, width = windows.shape[-2:]
        padding = (0, SIZE - width, 0, SIZE - height)
        return Features((nn.functional.pad(windows.mean(1, keepdim=True), padding),))

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        self.decoded.append(
            {"points": points, "labels": labels, "box": box, "mask": mask, "multimask": multimask}
        )
        bright = features.maps[0][0, 0].numpy() > 0.5
        parts = connected_parts(bright, connectivity=2)
        chosen = np.zeros_like(bright)
        if points is not None:
            for (x, y), sign in zip(points[0].tolist(), labels[0].tolist(), strict=True):
                part = parts[round(y), round(x)]
                if part:
                    chosen[parts == part] = sign == 1
        if box is not None:
            x0, y0, x1, y1 = box[0].round().int().clamp(0, SIZE - 1).tolist()
            inside = np.bincount(parts[y0 : y1 + 1, x0 : x1 + 1].ravel(), minlength=2)[1:]
            if inside.any():
                chosen |= parts == 1 + inside.argmax()
        if mask is not None:
            previous = nn.functional.interpolate(mask, (SIZE, SIZE))[0, 0].numpy() > 0
            chosen |= previous & bright
        masks = [chosen]
        if multimask:
            masks = [
                binary_dilation(chosen, iterations=3),
                chosen,
                binary_erosion(chosen, iterations=3, border_value=1),
            ]
        stack = torch.from_numpy(np.stack(masks)).float()[None]
        logits = 12 * (nn.functional.avg_pool2d(stack, 2) - 0.5)
        scores = [0.6, 0.9, 0.4] if multimask else [0.9]
        return logits, torch.tensor([scores])


@pytest.fixture(scope="session")
def embed():
    """Return a function from a boolean image to its embeddings, each by a model of its own."""

    def embed(bright, **kwargs):
        image = open_image(
            np.where(bright, np.uint8(255), np.uint8(0)),
            intensity=Intensity((0,), (255,)),
            **kwargs,
        )
        return Embeddings(image, BrightPartModel())

    return embed
