"""One object from its prompts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.image.window import Window
from napari_sam.masks.candidates import Candidates
from napari_sam.masks.mask import Mask
from napari_sam.prompts.prompts import Prompts
from napari_sam.segment.decode import decode
from napari_sam.segment.ready import Ready
from napari_sam.segment.scales import at_best_scale
from napari_sam.segment.windows import (
    cut_sides,
    first_window,
    in_window,
    next_window,
    shows_too_much,
)

MAX_FOLLOWED = 4
"""How often an object that reaches beyond its window is looked at again in another."""


def segment_object(
    embeddings: Embeddings,
    prompts: Prompts,
    *,
    plane: int | tuple[int, ...] = (),
    multimask: bool | None = None,
    follow: bool = True,
    step: float | None = None,
    object_diameter: float | None = None,
    ready: Ready | None = None,
) -> Candidates:
    """Segment the one object that the prompts mean.

    The model looks through the finest window that holds the box and the positive points; magnified,
    if a box or a mask prompt tells that the object is small. If the best mask reaches an edge of
    that window and the image goes on there, it looks again through a window with more room, of half
    the resolution if need be, a few times at most. (Not if there is a box, which says where the
    object ends.)

    After a single point, nothing tells the size of the object but the answer itself. If its size
    does not suit the model, or the model is not sure of it, other scales are tried
    (`napari_sam.segment.scales`).

    Models leave small islands far from the object. Of each mask, only the connected parts under the
    positive points are kept, so an object in pieces needs a point on each; or the largest part, if
    no point lies on the mask. Its `logits` keep all, as the model gave them.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model. Windows that are not encoded yet are encoded now.
    prompts : Prompts
        At least a positive point or a box. A mask prompt is resampled to every window.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.
    multimask : bool, optional
        Three masks or one. Default: three for a prompt that may mean several things, a single point
        or a box alone without a mask; one for all others, as the models are trained.
    follow : bool
        False: encode no window but the first, as for a preview that must not wait; `is_tentative`
        tells whether another might change the answer.
    step : float, optional
        Level-0 pixels per sample of the window, a power of two: do not look finer than that, as
        when the view is zoomed out. Default: the base step of the embeddings, or what
        `object_diameter` asks for.
    object_diameter : float, optional
        In level-0 pixels, roughly: large objects are looked at more coarsely from the beginning,
        small ones magnified (`first_step`).
    ready : Ready, optional
        Tells which windows are encoded; to repeat an answer, what was encoded then
        (`Candidates.left_out`).

    Returns
    -------
    Candidates
        Small to large, without empty masks; with a note on what the user should know.

    Raises
    ------
    TypeError
        If these are no embeddings or no prompts.
    ValueError
        If there is neither a positive point nor a box, or a prompt lies outside the image, or box
        and positive points span more than one object can; or the step is no power of two, or the
        diameter no positive number.
    """
    if not isinstance(embeddings, Embeddings):
        raise TypeError(
            "Expected Embeddings, made by Embeddings(image, model); found "
            f"{type(embeddings).__name__}."
        )
    plane = embeddings.image.normalize_plane(plane)
    _check(prompts, embeddings.image.shape_yx)
    ready = ready or Ready(embeddings)
    waits = follow and not ready.is_repeated
    may_be_first = ready.is_waited_for if waits else ready
    window = first_window(embeddings, prompts, plane, step, object_diameter, ready=may_be_first)
    found = _look(embeddings, window, prompts, multimask, step)
    if prompts.box is not None:
        proper = first_window(embeddings, prompts, plane, step, object_diameter)
        return replace(found, is_tentative=window != proper)
    if follow:
        found = _follow(embeddings, found, prompts, multimask, step)
    if not found or _is_cut(embeddings, found):
        return replace(found, is_tentative=len(found) > 0 and not follow)
    if not is_ambiguous(prompts) or object_diameter is not None:
        return _told_of(found, ready)

    def look(window: Window) -> Candidates:
        again = _look(embeddings, window, prompts, multimask, step)
        return Candidates(()) if _is_cut(embeddings, again) else again

    is_any = waits and embeddings.model.encodes_quickly
    may_be_next = None if is_any else ready
    best = at_best_scale(embeddings, found, prompts, look, step=step, ready=may_be_next)
    return _told_of(best, ready)


def _told_of(found: Candidates, ready: Ready) -> Candidates:
    """Note which windows were not ready, or that the answer will be another when they are."""
    if ready.will_be_soon:
        return replace(found, is_tentative=found.is_tentative or bool(ready.left_out))
    return replace(found, left_out=ready.left_out)


def is_ambiguous(prompts: Prompts) -> bool:
    """Whether the prompts may mean several things: one point or one box, and nothing else."""
    n_prompts = len(prompts.points) + (prompts.box is not None)
    return n_prompts == 1 and prompts.mask is None


def _look(
    embeddings: Embeddings,
    window: Window,
    prompts: Prompts,
    multimask: bool | None,
    step: float | None,
) -> Candidates:
    """Ask the model through one window; `step` is what the caller asked for."""
    visible = in_window(window, prompts.points)
    seen = Prompts(prompts.points[visible], prompts.labels[visible], prompts.box, prompts.mask)
    masks = decode(
        embeddings.model,
        embeddings.features(window),
        window,
        seen,
        embeddings.image.shape_yx,
        multimask=is_ambiguous(seen) if multimask is None else multimask,
    )
    masks = [_without_islands(mask, prompts) for mask in masks if mask.area > 0]
    notes = []
    if not masks:
        notes.append("nothing found here; add points or draw a box")
    if window.step > 1:
        reason = " (object is large)" if window.step > (step or 1) else ""
        notes.append(f"window at {_fraction(window.step)} resolution{reason}")
    if window.step < (finest := step or embeddings.base_step):
        notes.append(f"window magnified {finest / window.step:g} times (object is small)")
    if n_left_out := int(np.count_nonzero(~visible)):
        plural = "points" if n_left_out > 1 else "point"
        notes.append(f"{n_left_out} negative {plural} too far away to matter, left out")
    return Candidates(tuple(masks), window, "; ".join(notes))


def _follow(
    embeddings: Embeddings,
    found: Candidates,
    prompts: Prompts,
    multimask: bool | None,
    step: float | None,
) -> Candidates:
    """Look again through other windows until one shows the whole object."""
    for _ in range(MAX_FOLLOWED):
        if found.window is None or not _is_cut(embeddings, found):
            return found
        window = next_window(embeddings, found.window, prompts, found.best)
        if shows_too_much(embeddings, window.step):
            break
        again = _look(embeddings, window, prompts, multimask, step)
        if not again:
            break
        found = again
    else:
        if not _is_cut(embeddings, found):
            return found
    note = "the object reaches beyond the window and is cut; draw a box around it"
    return replace(found, note="; ".join(filter(None, [note, found.note])))


def _is_cut(embeddings: Embeddings, found: Candidates) -> bool:
    """Whether the best object reaches beyond the window that it was found in."""
    return (
        len(found) > 0
        and found.window is not None
        and bool(cut_sides(embeddings, found.window, found.best).any())
    )


def _without_islands(mask: Mask, prompts: Prompts) -> Mask:
    """Return the connected parts under the positive points; or the largest part, if none is."""
    under_points = mask.components_at(prompts.positives)
    return under_points if under_points.area else mask.largest_component()


def _fraction(step: float) -> str:
    return "half" if step == 2 else f"1/{step:g}"


def _check(prompts: Prompts, shape_yx: tuple[int, int]) -> None:
    if not isinstance(prompts, Prompts):
        raise TypeError(
            "Expected Prompts, such as Prompts(points=[[120.5, 340.0]]); found "
            f"{type(prompts).__name__}."
        )
    if prompts.is_empty:
        raise ValueError("There is no prompt; give at least a positive point or a box.")
    if len(prompts.positives) == 0 and prompts.box is None:
        found = "only negative points" if len(prompts.points) else "only a mask"
        raise ValueError(f"There are {found} among the prompts; add a positive point or a box.")
    height, width = shape_yx
    inside = ((prompts.points >= -0.5) & (prompts.points < np.array(shape_yx) - 0.5)).all(axis=1)
    if not inside.all():
        raise ValueError(
            f"The point (row, column) = {tuple(prompts.points[~inside][0].tolist())} lies outside "
            f"the image of {height} rows and {width} columns; move it inside or remove it."
        )
    if prompts.box is not None:
        y0, x0, y1, x1 = prompts.box.tolist()
        if y1 < -0.5 or x1 < -0.5 or y0 >= height - 0.5 or x0 >= width - 0.5:
            raise ValueError(
                f"The box (y0, x0, y1, x1) = {(y0, x0, y1, x1)} lies outside the image of {height} "
                f"rows and {width} columns."
            )
