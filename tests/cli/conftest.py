"""Images to segment, and what finds their objects at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.cli import segment_images
from napari_sam.segment import find

from ..segment import blobs

DISCS = [(40.0, 52.0, 6.0), (20.0, 20.0, 9.0), (100.0, 60.0, 30.0), (130.0, 150.0, 12.0)]


@pytest.fixture
def discs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """An image of four discs, discs.npy in the current folder, and what finds them at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    monkeypatch.setattr(segment_images, "load_model", lambda *_, **__: blobs.PixelModel())
    pixels = blobs.paint_discs((150, 180), DISCS)
    np.save("discs.npy", pixels)
    return pixels
