"""Some of the tiles of an image: those of some planes, at some steps, perhaps in a part only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.image.window import Window

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings


class Selection:
    """Tiles that somebody wants to have encoded.

    Parameters
    ----------
    embeddings : Embeddings
        Of the image.
    planes : int, or iterable of int or tuple of int, optional
        One plane or several, such as ``2``, ``range(10)`` or ``[(0, 2), (1, 2)]``. Default: all.
    steps : float or iterable of float, optional
        Level-0 pixels per sample, a power of two. Default: the base step.
    region : tuple of 4 floats, optional
        Only tiles whose cores touch (y0, x0, y1, x1), in level-0 pixel-center coordinates.

    Attributes
    ----------
    planes : list of tuple of int
        All different.
    steps : list of float
        All different.
    n_tiles : int
        How many tiles there are.

    Raises
    ------
    TypeError, ValueError
        If they are no planes of the image, or no powers of two.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        planes: int | Iterable[int | tuple[int, ...]] | None = None,
        steps: float | Iterable[float] | None = None,
        region: tuple[float, float, float, float] | None = None,
    ) -> None:
        self._embeddings = embeddings
        plane_shape, normalize = embeddings.image.plane_shape, embeddings.image.normalize_plane
        several: Iterable[int | tuple[int, ...]] = (
            np.ndindex(plane_shape)
            if planes is None
            else planes
            if isinstance(planes, Iterable)
            else [planes]
        )
        self.planes = list(dict.fromkeys(map(normalize, several)))
        self._planes = set(self.planes)
        steps = embeddings.base_step if steps is None else steps
        self.steps = list(dict.fromkeys(steps if isinstance(steps, Iterable) else [steps]))
        height, width = embeddings.image.shape_yx
        region = (0, 0, height - 1, width - 1) if region is None else region
        self._parts = {step: embeddings.grid(step).tiles_in(region) for step in self.steps}
        self.n_tiles = len(self.planes) * sum(
            len(rows) * len(columns) for rows, columns in self._parts.values()
        )

    def count_encoded(self) -> int:
        """Return how many of them are stored, by listing file names once per step.

        Without a store: how many are in memory.
        """
        store = self._embeddings.store
        if store is None:
            held = self._embeddings.memory.keys()
            return sum(window in self for window in held)
        n_done = 0
        for step, (rows, columns) in self._parts.items():
            present = store.present(self.planes, step)[:, rows.start : rows.stop]
            n_done += int(np.count_nonzero(present[:, :, columns.start : columns.stop]))
        return n_done

    def iter_missing(self) -> Iterator[Window]:
        """Yield those that are not stored (or not in memory, without a store) at their turn.

        So several processes that go through the same tiles share the work, if they begin at
        different ones.
        """
        for window in self:
            store = self._embeddings.store
            if not (self._embeddings.is_encoded(window) if store is None else window in store):
                yield window

    def __contains__(self, window: Window) -> bool:
        rows, columns = self._parts.get(window.step, (range(0), range(0)))
        if not rows or window.plane not in self._planes:
            return False
        tile = self._embeddings.grid(window.step).tile_of(window)
        return tile is not None and tile[0] in rows and tile[1] in columns

    def __iter__(self) -> Iterator[Window]:
        for step, (rows, columns) in self._parts.items():
            grid = self._embeddings.grid(step)
            for plane, row, column in product(self.planes, rows, columns):
                yield grid.window(row, column, plane)
