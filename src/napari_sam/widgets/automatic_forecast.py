"""What a run will take, said before it starts: in a thread."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.automatic_find import Found
from napari_sam.widgets.automatic_run import default_out
from napari_sam.widgets.automatic_scope import Scope
from napari_sam.widgets.pace import size_text, time_text

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings
    from napari_sam.embedding.selection import Selection
    from napari_sam.masks.knobs import Thresholds

DISK_FACTOR = 2
"""Labels take about as much as the masks that they are made of, which wait beside them."""


@dataclass(frozen=True)
class RunForecast:
    """What a run will take.

    Attributes
    ----------
    n_tiles : int
        To be searched.
    n_encoded : int
        Those of them that need not be encoded.
    seconds, nbytes : float or None
        None if nothing tells yet.
    free_bytes : int
        Disk that is free.
    out : path
        Where labels go.
    is_least : bool
        Whether nothing was found where it was tried: where there is something, it takes more.
    """

    n_tiles: int
    n_encoded: int
    seconds: float | None
    nbytes: float | None
    free_bytes: int
    out: Path
    is_least: bool = False

    def __str__(self) -> str:
        tiles = f"{self.n_tiles:,} tile{'s' if self.n_tiles != 1 else ''}"
        encoded = f", {self.n_encoded:,} of them encoded" if self.n_encoded else ""
        if self.n_encoded == self.n_tiles:
            encoded = ", encoded"
        free = f"{size_text(self.free_bytes)} free"
        if self.seconds is None or self.nbytes is None:
            return f"{tiles}{encoded}. A preview tells how long they take. {free}."
        enough = "" if self.nbytes <= self.free_bytes else ": not enough"
        about = "at least" if self.is_least else "about"
        return (
            f"{tiles}{encoded}: {about} {time_text(self.seconds)} and {size_text(self.nbytes)} of "
            f"disk ({free}{enough})."
        )


@dataclass(frozen=True, eq=False)
class Foretelling:
    """The work of forecasting a run, for a `Lane`: grids of large images have many tiles.

    Attributes
    ----------
    embeddings : Embeddings
        Image and model.
    step : float, optional
        Of the tiles.
    scope, region, out, name
        As for `Applying`.
    found : Found, optional
        The preview, which tells what a tile takes.
    thresholds : Thresholds, optional
        As for `Applying`.
    encode_s : float, optional
        Seconds to encode a tile, if the preview does not know it.
    """

    embeddings: Embeddings
    step: float | None
    scope: Scope
    region: NDArray[np.float64] | None
    out: Path | None
    name: str
    found: Found | None
    thresholds: Thresholds | None = None
    encode_s: float | None = None

    def iter_answer(self) -> Iterator[str | RunForecast]:
        """Yield the forecast; before, what is measured for it."""
        cores = self._cores()
        n_tiles = self.scope.n_planes * len(cores)
        n_encoded = min(n_tiles, self._selection().count_encoded())
        seconds, nbytes, is_least = None, None, False
        if self.found is not None and self.found.n_tiles:
            if not self.found.tells_of_a_tile:
                yield "Trying out what a whole tile takes …"
            n_px = self.scope.n_planes * sum((y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in cores)
            found = self.found.of_a_tile
            seconds, nbytes = self._cost(found, n_tiles, n_tiles - n_encoded, n_px)
            is_least = not len(found.table)
        out = self.out or default_out(self.embeddings.image, self.name)
        folder = next(parent for parent in out.absolute().parents if parent.exists())
        free = shutil.disk_usage(folder).free
        yield RunForecast(n_tiles, n_encoded, seconds, nbytes, free, out, is_least)

    def _cost(self, found: Found, n_tiles: int, n_missing: int, n_px: int) -> tuple[float, float]:
        """Return seconds and bytes of a run.

        A grid takes its time for the points, of which only those on screen were asked; the other
        modes take it for a window.
        """
        encode_s = found.cost.encode_s if found.cost.encode_s is not None else self.encode_s or 0.0
        is_grid = found.settings.mode == "grid"
        times = n_px / found.n_px if is_grid else n_tiles / found.n_tiles
        rows = found.knobs.rows(self.thresholds or found.defaults)
        nbytes = DISK_FACTOR * found.table.select(rows).nbytes * n_px / found.n_px
        return times * found.cost.find_s + n_missing * encode_s, nbytes

    def _cores(self) -> list[tuple[int, int, int, int]]:
        """Return the cores of the tiles of a plane that are to be searched."""
        grid = self.embeddings.grid(self.step)
        if self.region is None:
            return [grid.core(row, column) for row, column in np.ndindex(grid.tiles)]
        from napari_sam.segment.region import Region

        region = Region.parse(self.region, self.embeddings.image.shape_yx)
        rows, columns = grid.tiles_in(_hull(self.region))
        cores = (grid.core(row, column) for row in rows for column in columns)
        return [core for core in cores if region.meets(core)]

    def _selection(self) -> Selection:
        from napari_sam.embedding.selection import Selection

        region = None if self.region is None else _hull(self.region)
        return Selection(self.embeddings, self.scope.planes, self.step, region)


def _hull(region: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (y0, x0), (y1, x1) = region.min(axis=0).tolist(), region.max(axis=0).tolist()
    return y0, x0, y1, x1
