"""The interface that every network of the registry has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from napari_sam.model.features import Features
from napari_sam.model.point_decoder import PointDecoder

Conversion = Literal["percentiles", "min-max"]
"""How raw values become intensities: see `napari_sam.image.Intensity`."""


class Model(nn.Module, ABC):
    """A promptable segmentation network: encode a window once, then decode any number of prompts.

    Stateless between calls. Coordinates are (x, y) in samples of the window, with sample centers at
    integers.

    Attributes
    ----------
    name : str
        Name in the registry.
    image_size : int
        Side of the square window, in samples.
    low_res_size : int
        Side of the low-resolution logits, which cover the whole padded window.
    has_instance_maps : bool
        Whether `instance_maps` can be asked for.
    conversion : Conversion
        What the model's training images went through, and hence what its windows should. Can be
        set: not every file of weights tells.
    weights_hash : str or None
        What identifies the weights; None if they were not read from a file.
    checkpoint : Path or None
        The file of the weights, if it was named; None if they are installed.
    gains_from_bfloat16 : bool
        Whether the encoder is large enough to compute in bfloat16 unless asked not to.
    upscales_in_bfloat16 : bool
        Whether the `point_decoder` can.
    accepted_iou, accepted_stability : float
        Scores that a mask at a point of a grid must have to count as an object, unless told else.
    masks_per_point : int
        How many masks the model's authors take of each point of a grid: all three, or the best.
    object_samples : tuple of 2 floats
        Between which diameters, in samples of a window, one object is seen best; the larger is at
        least twice the smaller, so that there is a step for every object.
    encodes_quickly : bool
        Whether a window is encoded well within a second without a GPU.
    """

    name: str
    image_size: int
    low_res_size: int
    has_instance_maps: bool = False
    conversion: Conversion = "percentiles"
    weights_hash: str | None = None
    checkpoint: Path | None = None
    gains_from_bfloat16: bool = True
    upscales_in_bfloat16: bool = False
    accepted_iou: float = 0.88
    accepted_stability: float = 0.95
    masks_per_point: int = 3
    object_samples: tuple[float, float] = (14, 256)
    encodes_quickly: bool = False
    image_encoder: nn.Module

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @abstractmethod
    def encode(self, windows: torch.Tensor) -> Features:
        """Embed a batch of windows.

        Parameters
        ----------
        windows : torch.Tensor
            (B, C, h, w) float32 in [0, 1]; C is 1 (gray) or 3 (RGB), h and w at most `image_size`.
            The network itself pads smaller windows at the right and the bottom.

        Returns
        -------
        Features
            On the model's device.
        """

    @abstractmethod
    def decode(
        self,
        features: Features,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        box: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Segment N objects of one window.

        Parameters
        ----------
        features : Features
            Of one window (B = 1).
        points : torch.Tensor, optional
            (N, P, 2) float, (x, y) in samples of the window.
        labels : torch.Tensor, optional
            (N, P) int: 1 positive, 0 negative, -1 not a point (padding).
        box : torch.Tensor, optional
            (N, 4) float, (x0, y0, x1, y1), at sample centers like points.
        mask : torch.Tensor, optional
            (N, 1, low_res_size, low_res_size) float logits, as returned by an earlier call.
        multimask : bool
            True: three masks for an ambiguous prompt; False: the one for a prompt that is not.

        Returns
        -------
        logits : torch.Tensor
            (N, M, low_res_size, low_res_size), M = 3 or 1; the mask is where they exceed 0.
        predicted_iou : torch.Tensor
            (N, M).
        """

    def point_decoder(self, features: Features, dtype: torch.dtype = torch.float32) -> PointDecoder:
        """Return what segments the objects at any number of single points.

        Parameters
        ----------
        features : Features
            Of one window (B = 1).
        dtype : torch.dtype
            As of `PointDecoder`.
        """
        return PointDecoder(self, features, dtype)

    def instance_maps(self, features: Features) -> torch.Tensor:
        """Tell all objects of windows apart, without prompts.

        Parameters
        ----------
        features : Features
            Of B windows.

        Returns
        -------
        torch.Tensor
            (B, 3, h, w) float32 in [0, 1], over the whole padded window, at a resolution of the
            model's own. Channel 0 is the probability of foreground. Channel 1 is the distance to
            the object's center, from 0 there to 1 at its farthest pixel. Channel 2 is 0 at the
            object's innermost pixel and grows to 1 at its boundary. In the background, channels 1
            and 2 are 1.

        Raises
        ------
        ValueError
            If the model has no instance decoder.
        """
        raise ValueError(
            f"The model {self.name!r} has no instance decoder; use one with `has_instance_maps`, "
            'such as "nano" or micro-sam\'s "vit_b_lm".'
        )
