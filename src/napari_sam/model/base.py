"""The interface that every network of the registry has."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from napari_sam.model.features import Features


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
    """

    name: str
    image_size: int
    low_res_size: int

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
