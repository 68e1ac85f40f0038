"""At which scale a single click is answered, if nothing tells the size of the object.

A model sees best what measures as many samples of a window as the objects it has learned from
(`Model.object_samples`). The answers themselves tell whether that is so: an object of such a size
that the model is sure of is taken as it is. Otherwise the scales beside it are tried, where its
size points first, for as long as that makes the answer better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from napari_sam.embedding.embeddings import MIN_STEP, Embeddings
from napari_sam.image.window import Window
from napari_sam.masks.candidates import Candidates
from napari_sam.model.base import Model
from napari_sam.prompts.prompts import Prompts
from napari_sam.segment.ready import Ready
from napari_sam.segment.windows import diameter_of, shows_too_much, window_of

OCTAVE = 0.7
"""What is left of a predicted IoU for each halving or doubling of an object beyond such a size."""


def at_best_scale(
    embeddings: Embeddings,
    found: Candidates,
    prompts: Prompts,
    look: Callable[[Window], Candidates],
    *,
    step: float | None,
    ready: Ready | None,
) -> Candidates:
    """Look for the object at other scales, as long as the answer gets better.

    A model that takes long to encode looks only through windows that are ready: nobody waits twice
    for one click. In a preview every model does.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model.
    found : Candidates
        At the first scale; at least one.
    prompts : Prompts
        The click.
    look : callable
        Asks the model through a window; without an answer where the window cuts the object.
    step : float or None
        Not to be finer than that.
    ready : Ready or None
        Which windows may be looked through; None: all.

    Returns
    -------
    Candidates
        Tentative, if a window that is not ready might show the object better, and will soon be.
    """
    model, best = embeddings.model, found
    for factor in (0.5, 2.0) if _looks_small(model, found) else (2.0, 0.5):
        while not _is_settled(model, best):
            window = _scaled(embeddings, best, prompts, factor, step)
            if window is None:
                break
            if ready is not None and not ready(window):
                if ready.will_be_soon:
                    return replace(best, is_tentative=True)
                break
            again = look(window)
            if _worth(model, again) <= _worth(model, best):
                break
            best = again
        if best is not found:
            break
    return best


def _scaled(
    embeddings: Embeddings, found: Candidates, prompts: Prompts, factor: float, step: float | None
) -> Window | None:
    """Return a window coarser or finer by a factor than one through which an object was found."""
    if found.window is None:
        return None
    other = found.window.step * factor
    if other < max(MIN_STEP, step or 0) or shows_too_much(embeddings, other):
        return None
    return window_of(embeddings, prompts, found.window.plane, other)


def _samples(found: Candidates) -> float:
    """Return the diameter of the best object in samples of its window."""
    return diameter_of(found.best.area) / (found.window.step if found.window else 1)


def _looks_small(model: Model, found: Candidates) -> bool:
    return _samples(found) < math.sqrt(math.prod(model.object_samples))


def _octaves_off(model: Model, found: Candidates) -> float:
    """Return by how many doublings an object is smaller or larger than suits the model."""
    (least, most), samples = model.object_samples, _samples(found)
    return max(0.0, math.log2(least / samples), math.log2(samples / most))


def _is_settled(model: Model, found: Candidates) -> bool:
    is_sure = found.best.predicted_iou >= model.accepted_iou
    return is_sure and _octaves_off(model, found) == 0


def _worth(model: Model, found: Candidates) -> float:
    """Return a predicted IoU that can be compared between scales."""
    if not found:
        return 0.0
    return float(found.best.predicted_iou * OCTAVE ** _octaves_off(model, found))
