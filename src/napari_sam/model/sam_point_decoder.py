"""`PointDecoder` for SAM: what all points of a window share is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam.model.features import Features
from napari_sam.model.mask_decoder import to_sequence
from napari_sam.model.point_decoder import PointAnswers, PointDecoder, choose
from napari_sam.model.shared_image import OBJECTS_AT_ONCE, SharedImage

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam


class SamPointDecoder(PointDecoder):
    """Shares what no point changes, and makes only the masks that are wanted.

    Predicted IoUs come from a token, before the masks, whose upscaling takes a third of the time.

    Parameters
    ----------
    model, features, dtype
        As of `PointDecoder`.
    """

    model: Sam

    def __init__(self, model: Sam, features: Features, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(model, features, dtype)
        self._share()

    def _share(self) -> None:
        """Prepare the image, on the device where the network is now."""
        encoder, decoder = self.model.prompt_encoder, self.model.mask_decoder
        self._device = self.model.device
        self._maps = tuple(m.to(self._device) for m in self.features.maps)
        with torch.inference_mode():
            image = to_sequence(self._maps[0] + encoder.embed_mask(None))
            positions = to_sequence(encoder.grid_positions().to(self._device))
            self._image = SharedImage(decoder.transformer, image, positions)

    @property
    def batch(self) -> int:
        """As of `PointDecoder`, but on a CPU as many as `SharedImage` is made for."""
        return OBJECTS_AT_ONCE if self.model.device.type == "cpu" else super().batch

    def answer(self, points_xy: torch.Tensor, min_iou: float, best_only: bool) -> PointAnswers:
        """Answer (n, 2) points, all at once."""
        if self.model.device != self._device:  # a GPU's memory has run out
            self._share()
        decoder = self.model.mask_decoder
        labels = torch.ones(len(points_xy), 1, dtype=torch.int64, device=points_xy.device)
        sparse, _ = self.model.prompt_encoder(points_xy[:, None], labels, None, None)
        tokens, image = self._image.attend(decoder.tokens(sparse), len(decoder.output_tokens()))
        ambiguous = range(1, len(decoder.mask_tokens.weight))
        predicted_iou = decoder.predicted_iou(tokens)[:, ambiguous]
        is_chosen = choose(predicted_iou, min_iou, best_only)
        has_masks = is_chosen.any(dim=1)
        parts = ((x if has_masks.all() else x[has_masks]).to(self.dtype) for x in image)
        logits = decoder.masks(tokens[has_masks], parts, self._maps, ambiguous)
        logits = logits[is_chosen[has_masks]]
        return PointAnswers(logits, predicted_iou[is_chosen], is_chosen.nonzero()[:, 0])
