"""What the queue does, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.widgets.looking import resolution_text
from napari_sam.widgets.pace import time_text

if TYPE_CHECKING:
    from napari_sam.embedding.view_queue import QueueState

NOT_BEGUN = "Nothing is encoded before you point at the image with Segment, or press a button here."


def describe_queue(state: QueueState | None, seconds_per_tile: float | None) -> str:
    """Return a sentence on what is going on, or on why nothing is.

    Parameters
    ----------
    state : QueueState or None
        None before the beginning.
    seconds_per_tile : float or None
        As measured; None before the first tile.
    """
    if state is None:
        return NOT_BEGUN
    if state.error:
        return f"⚠ {state.error}"
    n_left = state.n_total - state.n_done
    job = f"{state.n_done:,} of {state.n_total:,} tiles" if n_left else ""
    if state.is_paused:
        return f"Paused after {job}." if job else "Paused."
    if state.window is None:
        return f"{state.reason[:1].upper()}{state.reason[1:]}." if state.reason else "Ready."
    where = f"Encoding at resolution {resolution_text(state.window.step)}"
    if state.window.plane:
        where += f", plane {', '.join(map(str, state.window.plane))}"
    if job and seconds_per_tile is not None:
        job += f", {time_text(n_left * seconds_per_tile)} left"
    return f"{where} · {job or 'around the view'}"
