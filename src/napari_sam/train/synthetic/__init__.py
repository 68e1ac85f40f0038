"""Microscopy that never was: images drawn with their objects, as many as training wants.

Each kind is a function ``(rng, shape) -> (image, labels)``: an image in [0, 1], float32, and int32
labels of the same shape: 1 … n for objects, each connected; 0 for background; -1 for what shows
something that is no object by these labels, such as the cell around a nucleus.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_sam.train.synthetic.bacteria import draw_bacteria
from napari_sam.train.synthetic.cytoplasm import draw_cytoplasm
from napari_sam.train.synthetic.electrons import draw_electron_micrograph
from napari_sam.train.synthetic.empty import draw_empty
from napari_sam.train.synthetic.filaments import draw_filaments
from napari_sam.train.synthetic.nuclei import draw_nuclei
from napari_sam.train.synthetic.phase import draw_phase_contrast
from napari_sam.train.synthetic.tissue import draw_tissue

Kind = Callable[[np.random.Generator, tuple[int, int]], tuple[np.ndarray, np.ndarray]]

KINDS: dict[str, Kind] = {
    "nuclei": draw_nuclei,
    "cytoplasm": draw_cytoplasm,
    "phase": draw_phase_contrast,
    "tissue": draw_tissue,
    "electrons": draw_electron_micrograph,
    "bacteria": draw_bacteria,
    "filaments": draw_filaments,
    "empty": draw_empty,
}

__all__ = ["KINDS", "Kind"]
