from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from . import torchvision_standin


@pytest.fixture(scope="session")
def segment_anything() -> ModuleType:
    """The reference implementation, which needs a few functions of torchvision to be imported."""
    with torchvision_standin.installed():
        return importlib.import_module("segment_anything")
