"""Where the user looks: plane, part on screen, place of the cursor, and how finely."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.window import is_power_of_two
from napari_sam.widgets.layers import current_plane, screen_px, to_pixel, world_frame

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

    from napari_sam.embedding import Embeddings
    from napari_sam.embedding.view import View

StepChoice: TypeAlias = float | Literal["zoom"] | None
"""Level-0 pixels per sample of the windows to look through: a power of two; or ``"zoom"``, as
coarse as the picture on screen; or None, as fine as the prompts allow."""

MAX_MAGNIFICATION = 8
"""Pixels of the screen per pixel of the image that nobody needs more of to see an object."""

SMALLEST_SHARE, COMFORTABLE_SHARE, LARGEST_SHARE = 0.03, 0.2, 0.8
"""How much of the canvas an object takes that is tiny, comfortable to look at, or too large."""


def parse_step(step: StepChoice) -> StepChoice:
    """Return a choice that has been checked.

    Raises
    ------
    ValueError
        If it is none.
    """
    if step is None or step == "zoom":
        return step
    if not isinstance(step, int | float) or not is_power_of_two(step):
        raise ValueError(
            f"The step is {step!r}; expected 'zoom', None (full resolution), or a power of two "
            "such as 2 (half resolution) or 4."
        )
    return step


def parse_diameter(diameter: float | None) -> float | None:
    """Return a diameter of objects that has been checked.

    Raises
    ------
    ValueError
        If it is not positive.
    """
    if diameter is not None and not 0 < diameter < math.inf:
        raise ValueError(
            f"The object diameter is {diameter!r}; expected pixels of the image, or None."
        )
    return diameter


def zoom_step(viewer: ViewerModel, layer: ImageLayer) -> float:
    """Return the step that suits the zoom: the largest power of two ≤ pixels per screen pixel.

    So what the model sees is as fine as what the user sees, or up to twice as fine. `fitting_step`
    then keeps it to what makes sense for an image and a model. Pixels of the screen are those that
    napari counts; on a display with scaling, each may be several.
    """
    return 2.0 ** math.floor(-math.log2(screen_px(viewer, layer)) + 1e-9)


def fitting_step(embeddings: Embeddings, step: float) -> float:
    """Return the step nearest to `step` that makes sense for an image and a model.

    It is not below the base step, which shows all there is. It is not so coarse that a window of
    half the step shows the whole image too: the image would only shrink within the window. Nor so
    coarse that a mask of the window might not fit into memory.
    """
    from napari_sam.segment.windows import shows_too_much

    fitting = embeddings.base_step
    while (
        fitting < step
        and embeddings.grid(fitting).tiles != (1, 1)
        and not shows_too_much(embeddings, 2 * fitting)
    ):
        fitting *= 2
    return fitting


def step_to_look(embeddings: Embeddings, step: float | None, diameter: float | None) -> float:
    """Return the step of the window that a click looks through first; see `first_step`.

    Raises
    ------
    ValueError
        If objects of this diameter are too large to be looked at.
    """
    from napari_sam.segment.windows import first_step

    return first_step(embeddings, step and fitting_step(embeddings, step), diameter)


def sensible_steps(embeddings: Embeddings) -> list[float]:
    """Return the steps that make sense for an image and a model, from fine to coarse."""
    steps = [embeddings.base_step]
    while (coarser := fitting_step(embeddings, 2 * steps[-1])) > steps[-1]:
        steps.append(coarser)
    return steps


def resolution_text(step: float) -> str:
    """Return a step as a resolution, such as ``1/4``."""
    if step == 1:
        return "full"
    return f"1/{step:g}" if step > 1 else f"× {1 / step:g}"


def screen_box(viewer: ViewerModel, layer: ImageLayer) -> tuple[float, float, float, float]:
    """Return the part of an image that is on screen, (y0, x0, y1, x1) in level-0 pixels.

    The box around it, if the image is turned; it may reach out of the image.
    """
    dims, camera = viewer.dims, viewer.scene.camera
    half = np.array(viewer.canvas.size) / 2 / camera.zoom
    corners = np.tile(np.array(dims.point, float), (4, 1))
    signs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    corners[:, list(dims.displayed[-2:])] = camera.center[-2:] + signs * half
    y0, x0, y1, x1 = world_frame(viewer, layer).map_box(corners[:, -layer.ndim :]).tolist()
    return y0, x0, y1, x1


def to_screen(
    viewer: ViewerModel,
    layer: ImageLayer,
    points: NDArray[np.float64],
    canvas_size: tuple[int, int],
) -> NDArray[np.float64]:
    """Return where on a canvas pixels of the plane shown are.

    Parameters
    ----------
    viewer, layer
        In 2-D.
    points : (N, 2) array
        (row, column) in level-0 pixels.
    canvas_size : (height, width)
        Of the canvas, in its pixels.

    Returns
    -------
    (N, 2) array
        (x, y) from the upper left corner of the canvas.
    """
    dims, camera = viewer.dims, viewer.scene.camera
    plane = current_plane(viewer, layer)
    to_world = np.linalg.inv(world_frame(viewer, layer).matrix)
    pixels = np.column_stack([np.tile([*plane], (len(points), 1)), points, np.ones(len(points))])
    world = pixels @ to_world.T
    displayed = [axis - dims.ndim + layer.ndim for axis in dims.displayed[-2:]]
    signs = [1 if way in ("down", "right") else -1 for way in camera.orientation2d]
    from_center = (world[:, displayed] - camera.center[-2:]) * camera.zoom * signs
    return (from_center + np.array(canvas_size) / 2)[:, ::-1]


def view_of(viewer: ViewerModel, layer: ImageLayer, step: float) -> View:
    """Return what the user looks at, and windows of which step a click there looks through.

    Raises
    ------
    ValueError
        If the view is 3-D, or shows other axes than the last two.
    """
    from napari_sam.embedding.view import View

    plane, screen = current_plane(viewer, layer), screen_box(viewer, layer)
    _, y, x = to_pixel(viewer, layer, viewer.cursor.position)
    is_on_screen = screen[0] <= y <= screen[2] and screen[1] <= x <= screen[3]
    cursor = (y, x) if viewer.mouse_over_canvas and is_on_screen else None
    return View(plane, screen, cursor, step)


def show_box(
    viewer: ViewerModel,
    layer: ImageLayer,
    plane: tuple[int, ...],
    box: tuple[int, int, int, int],
) -> None:
    """Show a plane of an image, and a box (y0, x0, y1, x1) of it in the middle of the canvas.

    The zoom stays, unless the box would be tiny or would not fit.
    """
    y0, x0, y1, x1 = box
    center = (*plane, (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2)
    to_world = np.linalg.inv(world_frame(viewer, layer).matrix)
    world = (to_world @ [*center, 1.0])[:-1]
    first = viewer.dims.ndim - layer.ndim
    for axis, value in enumerate(world[:-2], start=first):
        viewer.dims.set_point(axis, value)
    camera = viewer.scene.camera
    camera.center = (*camera.center[:-2], *world[-2:])
    share = max(y1 - y0, x1 - x0) * screen_px(viewer, layer) / min(viewer.canvas.size)
    if not SMALLEST_SHARE < share < LARGEST_SHARE:
        most = max(1.0, MAX_MAGNIFICATION / screen_px(viewer, layer))
        camera.zoom *= min(COMFORTABLE_SHARE / share, most)
