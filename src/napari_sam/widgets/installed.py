"""Tells all docks of all viewers when weights came or went, and what is being done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari_sam.widgets.model_jobs import Job


class Installed:
    """What happens to the weights of this process.

    Attributes
    ----------
    changed : Signal
        Emitted on the main thread, after weights were fetched, imported or removed.
    jobs : dict of str to Job
        What is being done, by the name of the model; threads write it.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}


installed = Installed()
