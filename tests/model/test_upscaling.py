"""Upscaling in patches gives the pixels of transposed convolutions."""

from __future__ import annotations

import torch
from torch import nn

from napari_sam.model.upscaling import Upscaling, in_rows


def test_pixels_are_those_of_transposed_convolutions() -> None:
    height, width = 3, 5
    layers = nn.Sequential(Upscaling(6, 4), nn.ReLU(), Upscaling(4, 2)).double()
    official = nn.Sequential(
        nn.ConvTranspose2d(6, 4, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2, stride=2)
    ).double()
    official.load_state_dict(layers.state_dict())

    maps = torch.randn(2, 6, height, width, dtype=torch.float64)
    found = in_rows(layers(maps.flatten(2).mT[:, :, None]), height, width)
    torch.testing.assert_close(found, official(maps))
