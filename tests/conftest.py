"""Every test session has settings and caches of its own, and computes on one thread."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Set while pytest starts, before napari reads its settings and torch counts its threads.
_HOME = Path(tempfile.mkdtemp(prefix="napari-sam-tests-"))
os.environ["NAPARI_CONFIG"] = str(_HOME / "settings.yaml")
for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{kind}_HOME"] = str(_HOME / kind.lower())
os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine is no failure. Random examples are for developers, CI tries the same each time.
settings.register_profile("napari-sam", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("napari-sam")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let each test have a folder of weights of its own; it isn't there yet."""
    folder = tmp_path / "models"
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(folder))
    return folder
