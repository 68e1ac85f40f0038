"""Boolean masks, each cropped to its box."""

from napari_sam.masks.candidates import Candidates
from napari_sam.masks.knobs import Knobs, Thresholds
from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.paint import paint
from napari_sam.masks.resample import mask_from_logits
from napari_sam.masks.run_length import mask_to_rle, rle_to_mask
from napari_sam.masks.suppression import suppress

__all__ = [
    "Candidates",
    "Knobs",
    "Mask",
    "MaskTable",
    "Thresholds",
    "mask_from_logits",
    "mask_to_rle",
    "paint",
    "rle_to_mask",
    "suppress",
]
