"""What a user points at: points, a box, an earlier mask; and the frames they are drawn in."""

from napari_sam.prompts.frames import Frame
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.prompts.prompts import Prompts

__all__ = ["Frame", "MaskPrompt", "Prompts"]
