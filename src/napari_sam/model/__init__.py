"""The networks and nothing else: architectures, the registry of models, reading their weights."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.model.base import Model
    from napari_sam.model.features import Features
    from napari_sam.model.load import load_model
    from napari_sam.model.registry import ModelSpec, list_models
    from napari_sam.model.whole_image import WholeImage, to_uint8

__all__ = ["Features", "Model", "ModelSpec", "WholeImage", "list_models", "load_model", "to_uint8"]

_HOME = {
    "Features": "features",
    "Model": "base",
    "ModelSpec": "registry",
    "WholeImage": "whole_image",
    "list_models": "registry",
    "load_model": "load",
    "to_uint8": "whole_image",
}
"""Public name → its module; imported when first used, because the registry needs no torch."""


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
