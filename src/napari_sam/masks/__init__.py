"""Boolean masks, each cropped to its box."""

from napari_sam.masks.candidates import Candidates
from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.resample import mask_from_logits

__all__ = ["Candidates", "Mask", "MaskTable", "mask_from_logits"]
