"""Segment anything in napari: point at an object, see its outline, keep its mask.

The names below are the public API. Each is imported when it is first used, so that
``import napari_sam`` loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings
    from napari_sam.image import Image, open_image
    from napari_sam.labels import write_mask
    from napari_sam.labels.export import export_labels
    from napari_sam.masks import Candidates, Mask, MaskTable
    from napari_sam.model import list_models, load_model
    from napari_sam.prompts import Prompts
    from napari_sam.segment import (
        SegmentSettings,
        generate_masks,
        propagate,
        segment_grid,
        segment_object,
        segment_stack,
    )
    from napari_sam.widgets.session import session

    __version__: str

__all__ = [
    "Candidates",
    "Embeddings",
    "Image",
    "Mask",
    "MaskTable",
    "Prompts",
    "SegmentSettings",
    "__version__",
    "export_labels",
    "generate_masks",
    "list_models",
    "load_model",
    "open_image",
    "propagate",
    "segment_grid",
    "segment_object",
    "segment_stack",
    "session",
    "write_mask",
]

_HOME = {
    "Candidates": "masks",
    "Embeddings": "embedding",
    "Image": "image",
    "Mask": "masks",
    "MaskTable": "masks",
    "Prompts": "prompts",
    "SegmentSettings": "segment",
    "export_labels": "labels.export",
    "generate_masks": "segment",
    "list_models": "model",
    "load_model": "model",
    "open_image": "image",
    "propagate": "segment",
    "segment_grid": "segment",
    "segment_object": "segment",
    "segment_stack": "segment",
    "session": "widgets.session",
    "write_mask": "labels",
}
"""Public name → the folder that defines it."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-sam")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
