"""Tiles that somebody asked for: a part of a plane, a plane or a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.embedding.forecast import say_size
from napari_sam.embedding.selection import Selection
from napari_sam.image.window import Window

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings


class Job:
    """How far the encoding of a selection of tiles is.

    Parameters
    ----------
    embeddings : Embeddings
        Of the image; without a store, tiles are kept in its memory.
    wanted : Selection
        The tiles.
    budget_bytes : int
        Of memory, for a job without a store.

    Attributes
    ----------
    window : Window or None
        What to encode next; None when all are.
    n_done, n_total : int
        Tiles that are encoded, and all of them.
    has_failed : bool
        Whether the job rests, since something went wrong.
    """

    def __init__(self, embeddings: Embeddings, wanted: Selection, budget_bytes: int) -> None:
        self.n_total = wanted.n_tiles
        self._wanted = wanted
        self._embeddings = embeddings
        self._budget_bytes = budget_bytes
        self._store = embeddings.store
        self.retry()

    def retry(self) -> None:
        """Begin again with what is missing."""
        self.has_failed = False
        self.n_done = self._wanted.count_encoded()
        self._missing = self._wanted.iter_missing()
        self.window: Window | None = next(self._missing, None)

    def advance(self) -> None:
        """Go to the next tile, after one that is encoded."""
        self.window = next(self._missing, None)
        self.n_done = self.n_total if self.window is None else min(self.n_done + 1, self.n_total)

    def note(self, window: Window) -> None:
        """Count a tile that was encoded out of turn, if it is one of those wanted."""
        if window != self.window and window in self._wanted:
            self.n_done = min(self.n_done + 1, self.n_total)

    def check(self) -> None:
        """Refuse to go on where the tiles have no place to go to.

        Raises
        ------
        OSError
            If the store is gone.
        ValueError
            If there is none, and memory is too small. (Not before the first tile, if nothing else
            has told how large tiles are.)
        """
        if self._embeddings.store is not self._store:
            raise OSError("The store takes no more tiles: begin again with another one.")
        nbytes = self.n_total * (self._embeddings.tile_bytes or 0)
        if self._store is None and nbytes > self._budget_bytes:
            raise ValueError(
                f"The {self.n_total} tiles take {say_size(nbytes)}, and memory is kept for "
                f"{say_size(self._budget_bytes)} of them: choose a store on disk, a larger step "
                f"or a smaller part."
            )
