"""What a run of the queue will take, said before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.widgets.pace import size_text, time_text

if TYPE_CHECKING:
    from napari_sam.widgets.survey import Level, Survey


def foretell(
    survey: Survey, level: Level, *, of_stack: bool, seconds_per_tile: float | None
) -> str:
    """Return a sentence on what it takes to encode a plane, or all planes, at one step.

    Parameters
    ----------
    survey : Survey
        What there is.
    level : Level
        Of the survey.
    of_stack : bool
        Whether all planes are meant.
    seconds_per_tile : float or None
        As measured; None before the first tile.
    """
    n_tiles, n_done = (
        (level.n_stack, level.n_stack_done) if of_stack else (level.n_plane, level.n_plane_done)
    )
    n_missing = n_tiles - n_done
    if not n_missing:
        return f"all {n_tiles:,} tiles are encoded." if n_tiles > 1 else "the one tile is encoded."
    to_encode = f"{n_missing:,} tile{'s' * (n_missing > 1)} to encode"
    if survey.tile_bytes is None or seconds_per_tile is None:
        return f"{to_encode}; the first tells how long it takes."
    if survey.free_bytes is None:
        nbytes = n_tiles * survey.tile_bytes
        is_enough = nbytes <= survey.most_memory_bytes
        room = f"{size_text(nbytes)} of memory" + (
            "" if is_enough else f", more than {size_text(survey.most_memory_bytes)}: use a folder"
        )
    else:
        nbytes = n_missing * survey.tile_bytes
        is_enough = nbytes <= survey.free_bytes
        room = f"{size_text(nbytes)} on disk ({size_text(survey.free_bytes)} free" + (
            ")" if is_enough else ": not enough)"
        )
    return f"{to_encode}, about {time_text(n_missing * seconds_per_tile)}, {room}."
