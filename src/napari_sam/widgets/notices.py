"""What the Segment dock offers to do something about."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.labels.widen import wider_type
from napari_sam.model import list_models
from napari_sam.widgets.banner import Notice
from napari_sam.widgets.docks import bring_forward
from napari_sam.widgets.layers import (
    check_view,
    differences,
    foremost_image,
    lies_on,
    place,
    placement,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.widgets.segment_session import SegmentSession

HIDING = ("opaque", "translucent", "translucent_no_depth")
"""Blendings of a layer that one cannot see through."""

FEW_IDS = 20
"""Growth is offered when so few numbers are left."""


def notice_for(session: SegmentSession) -> Notice | None:
    """Return the most pressing thing that there is to say now, if there is one."""
    viewer = session.viewer
    if session.image is not None and (notice := _view_notice(viewer)) is not None:
        return notice
    if n_objects := session.recoverable:
        objects = "1 object" if n_objects == 1 else f"{n_objects:,} objects"
        were = "was" if n_objects == 1 else "were"
        return Notice(
            f"{objects} of an earlier session {were} not saved.",
            {
                "Recover": _telling(session, "recover", wait=False),
                "Discard": _telling(session, "discard_recovery"),
            },
        )
    if (notice := _place_notice(session)) is not None:
        return notice
    if (over := _image_over(session)) is not None and session.image is not None:
        return Notice(
            f"This works on '{session.image.name}', and '{over.name}' lies over it.",
            {f"Take '{over.name}'": partial(setattr, session, "image", over)},
        )
    n_left = session.n_ids_left
    if session.labels is not None and n_left is not None and n_left <= FEW_IDS:
        return _few_ids(session, session.labels, n_left)
    return None


def labels_notice(session: SegmentSession, error: Exception) -> Notice:
    """Return what to do about labels that do not fit the image."""
    return Notice(str(error), {"Make a new one": partial(setattr, session, "labels", None)})


def damage_notice(session: SegmentSession, error: Exception) -> Notice | None:
    """Return what to do about an error, if it tells of a file that is damaged, or not there."""
    for spec in list_models():
        can_fetch = not spec.built_in and any(file.url for file in spec.files)
        named = [file.target.name for file in spec.files if file.target.name in str(error)]
        if spec.name == session.model and can_fetch and isinstance(error, FileNotFoundError):
            fetch = partial(_fetch, session, spec.name)
            return Notice(f"{spec.name} is not installed.", {"Fetch …": fetch})
        if spec.name == session.model and can_fetch and named:
            fetch_again = partial(_fetch_again, session, spec.name)
            text = f"{named[0]} is damaged, unfinished or another version."  # the status says more
            return Notice(text, {"Fetch it again …": fetch_again})
    return None


def _view_notice(viewer: ViewerModel) -> Notice | None:
    """Return what to do about a view that prompts do not work on."""
    dims = viewer.dims
    try:
        check_view(viewer)
    except ValueError as error:
        if dims.ndisplay == 3:
            return Notice(str(error), {"Switch to 2-D": partial(setattr, dims, "ndisplay", 2)})
        in_order = tuple(range(dims.ndim))
        return Notice(str(error), {"Roll the axes back": partial(setattr, dims, "order", in_order)})
    return None


def _place_notice(session: SegmentSession) -> Notice | None:
    """Return what to do about labels that are not where the image is."""
    labels, image = session.labels, session.image
    if labels is None or image is None or labels.ndim != image.ndim or lies_on(labels, image):
        return None
    name, (held, value) = next(iter(differences(labels, placement(image)).items()))
    how = f"{name} is {_numbers(held)}, not {_numbers(value)}"
    if np.ndim(value) == 2:  # a matrix
        how = f"{name} is another"
    return Notice(
        f"'{labels.name}' does not lie on the image '{image.name}': its {how}.",
        {"Put it there": partial(place, labels, placement(image))},
    )


def _numbers(value: Any) -> str:
    """Return numbers, or units, of all axes as a short text; one of them, if they are the same."""
    rounded = np.round(value, 4).tolist() if isinstance(value, np.ndarray) else map(str, value)
    texts = [str(each) for each in rounded]
    return texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"


def _fetch(session: SegmentSession, name: str) -> None:
    bring_forward(session.viewer, "Models").ask_fetch(name)


def _fetch_again(session: SegmentSession, name: str) -> None:
    bring_forward(session.viewer, "Models").fetch_again(name)


def _few_ids(session: SegmentSession, labels: Labels, n_left: int) -> Notice:
    dtype = labels.dtype
    highest = 2 ** (8 * dtype.itemsize - (dtype.kind == "i")) - 1
    actions = {}
    with suppress(ValueError):  # there is no wider type
        wider = wider_type(dtype)
        actions[f"Widen to {wider}"] = _telling(session, "widen_labels", wait=False)
    left = "none is" if n_left == 0 else "1 is" if n_left == 1 else f"{n_left} are"
    return Notice(
        f"{dtype} holds {highest:,} objects, {left} left.",
        actions,
    )


def _image_over(session: SegmentSession) -> ImageLayer | None:
    """Return an image that hides the chosen one; channels that are added up hide nothing."""
    over = foremost_image(session.viewer)
    if over is None or session.image is None or over is session.image or not over.visible:
        return None
    is_hiding = over.opacity > 0.5 and over.blending in HIDING
    return over if is_hiding and over.ndim >= session.image.ndim else None


def _telling(session: SegmentSession, command: str, **options: Any) -> Any:
    """Return a function that does a command of the session, and tells what cannot be done."""

    def do() -> None:
        with session.telling():
            getattr(session, command)(**options)

    return do
