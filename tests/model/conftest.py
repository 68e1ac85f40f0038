from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from . import reference_standins


@pytest.fixture(scope="session")
def segment_anything() -> ModuleType:
    """The reference implementation, which needs a few functions of torchvision to be imported."""
    with reference_standins.installed():
        return importlib.import_module("segment_anything")


@pytest.fixture(scope="session")
def segment_anything_hq() -> ModuleType:
    """The reference implementation of HQ-SAM and of TinyViT, which needs timm too."""
    with reference_standins.installed():
        return importlib.import_module("segment_anything_hq")
