"""From prompts to masks."""

from napari_sam.segment.segment_object import segment_object

__all__ = ["segment_object"]
