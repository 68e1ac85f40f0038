"""Masks into integer arrays: writing, undo, ids, OME-Zarr."""

from napari_sam.labels.edit import Edit
from napari_sam.labels.ids import LabelIds, next_label
from napari_sam.labels.ome_zarr import create_labels, open_labels
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.labels.write import write_mask

__all__ = [
    "Edit",
    "LabelIds",
    "LabelsPyramid",
    "create_labels",
    "next_label",
    "open_labels",
    "write_mask",
]
