"""How many CPU cores models may compute with: as many as torch takes, until the user chooses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari_sam.model.base import Model


class Cores:
    """The choice of the user, for all windows of this process.

    Attributes
    ----------
    changed : Signal
        Emitted after another choice.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._chosen: int | None = None
        self._before: int | None = None

    @property
    def n_all(self) -> int:
        """How many cores there are."""
        return os.cpu_count() or 1

    @property
    def chosen(self) -> int | None:
        """How many the user wants models to take; None leaves torch alone."""
        return self._chosen

    @chosen.setter
    def chosen(self, n_cores: int | None) -> None:
        if n_cores != self._chosen:
            self._chosen = n_cores
            self.changed.emit()

    def apply(self, n_spared: int = 0) -> None:
        """Let torch follow the choice; call this in the thread that is about to compute.

        `n_spared` of all cores are left to others, if there are more; a choice may leave them too.
        """
        if self._chosen is None and self._before is None and not n_spared:
            return
        import torch

        if self._before is None:
            self._before = torch.get_num_threads()
        n_threads = max(1, min(self._chosen or self._before, self._before - n_spared))
        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)


cores = Cores()


def apply_cores(model: Model) -> None:
    """Let torch follow the choice for what a model computes now, in this thread.

    One core is left to the window where layers are small: threads wait for each other after each of
    them, so one that the window keeps from its core holds up the others.
    """
    cores.apply(n_spared=1 if model.encodes_quickly else 0)
