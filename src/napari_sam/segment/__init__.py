"""From prompts to masks, and from images to all their objects."""

from napari_sam.segment.generate_masks import generate_masks
from napari_sam.segment.output import read_record
from napari_sam.segment.propagate import PropagateSettings, propagate
from napari_sam.segment.segment_grid import segment_grid
from napari_sam.segment.segment_object import segment_object
from napari_sam.segment.settings import FindSettings, LinkSettings, SegmentSettings
from napari_sam.segment.stack import iter_segment_stack, segment_stack

__all__ = [
    "FindSettings",
    "LinkSettings",
    "PropagateSettings",
    "SegmentSettings",
    "generate_masks",
    "iter_segment_stack",
    "propagate",
    "read_record",
    "segment_grid",
    "segment_object",
    "segment_stack",
]
