"""Objects of planes and stacks: what that takes, and how it is done in a thread."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QStandardPaths

from napari_sam.widgets.automatic_find import Found
from napari_sam.widgets.automatic_how import How
from napari_sam.widgets.layers import layer_frame
from napari_sam.widgets.pace import size_text, time_text
from napari_sam.widgets.predictor import Predictor

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Shapes

    from napari_sam.embedding import Embeddings
    from napari_sam.image import Image
    from napari_sam.labels import LabelsPyramid
    from napari_sam.masks.knobs import Thresholds
    from napari_sam.segment.output import Existing
    from napari_sam.segment.stack import Progress

STAGES = {
    "find": "Finding objects",
    "match": "Comparing neighboring tiles",
    "join": "Joining objects over tiles",
    "compare": "Comparing planes",
    "link": "Linking planes",
    "write": "Writing labels",
    "reduce": "Writing coarser levels",
}
ENDING = "-labels.zarr"
DISK_FACTOR = 2
"""Labels take about as much as the masks that they are made of, which wait beside them."""


@dataclass(frozen=True, eq=False)
class Applying:
    """The work of segmenting planes into an OME-Zarr, for a `Lane`.

    Attributes
    ----------
    predictor : Predictor
        Image and model.
    how : How
        Objects are looked for.
    thresholds : Thresholds, optional
        Which of them are kept; None: what suits mode and model.
    planes : tuple of int, optional
        The one plane; None: all.
    region : (N, 2) array, optional
        Vertices of a polygon, (row, column) in level-0 pixels; None: everywhere.
    out : path, optional
        Of the labels; None: see `default_out`.
    name : str
        Of the image.
    keep : labels array, optional
        Objects that are there already.
    existing : {"resume", "replace", "refuse"}
        What to do with an output that is there.
    """

    predictor: Predictor
    how: How
    thresholds: Thresholds | None
    planes: tuple[int, ...] | None
    region: NDArray[np.float64] | None
    out: Path | None
    name: str
    keep: Any = None
    existing: Existing = "resume"

    def iter_answer(self) -> Iterator[str | Path | Progress | LabelsPyramid]:
        """Yield where the labels go, how far it is, and at last the labels."""
        from napari_sam.segment.settings import SegmentSettings
        from napari_sam.segment.stack import iter_segment_stack

        yield from self.predictor.iter_answer()
        embeddings = self.predictor.embeddings
        if embeddings is None:
            return
        yield "Preparing …"
        out = self.out or default_out(self.predictor.image, self.name)
        yield out
        out.parent.mkdir(parents=True, exist_ok=True)
        labels = yield from iter_segment_stack(
            embeddings,
            out,
            planes=None if self.planes is None else [self.planes],
            region=self.region,
            settings=SegmentSettings(self.how.settings(self.thresholds)),
            keep=self.keep,
            existing=self.existing,
        )
        yield labels


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
    """

    n_tiles: int
    n_encoded: int
    seconds: float | None
    nbytes: float | None
    free_bytes: int
    out: Path

    def __str__(self) -> str:
        tiles = f"{self.n_tiles:,} tile{'s' if self.n_tiles != 1 else ''}"
        encoded = f", {self.n_encoded:,} of them encoded" if self.n_encoded else ""
        if self.n_encoded == self.n_tiles:
            encoded = ", encoded"
        free = f"{size_text(self.free_bytes)} free"
        if self.seconds is None or self.nbytes is None:
            return f"{tiles}{encoded}. A preview tells how long they take. {free}."
        enough = "" if self.nbytes <= self.free_bytes else ": not enough"
        return (
            f"{tiles}{encoded}: about {time_text(self.seconds)} and {size_text(self.nbytes)} of "
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
    planes, region, out, name
        As for `Applying`.
    found : Found, optional
        The preview, which tells what a tile takes.
    encode_s : float, optional
        Seconds to encode a tile, if the preview does not know it.
    """

    embeddings: Embeddings
    step: float | None
    planes: tuple[int, ...] | None
    region: NDArray[np.float64] | None
    out: Path | None
    name: str
    found: Found | None
    encode_s: float | None = None

    def iter_answer(self) -> Iterator[RunForecast]:
        """Yield the forecast."""
        image = self.embeddings.image
        n_planes = 1 if self.planes is not None else math.prod(image.plane_shape)
        n_tiles = n_planes * self._tiles_per_plane()
        n_encoded = min(n_tiles, self._n_encoded(n_planes))
        cost = self.found.cost if self.found is not None and self.found.n_tiles else None
        seconds = None
        if cost is not None:
            encode_s = cost.encode_s if cost.encode_s is not None else self.encode_s or 0.0
            seconds = n_tiles * cost.find_s + (n_tiles - n_encoded) * encode_s
        nbytes = None
        if self.found is not None and self.found.n_tiles:
            nbytes = DISK_FACTOR * n_tiles * self.found.table.nbytes / self.found.n_tiles
        out = self.out or default_out(image, self.name)
        folder = next(parent for parent in out.absolute().parents if parent.exists())
        yield RunForecast(n_tiles, n_encoded, seconds, nbytes, shutil.disk_usage(folder).free, out)

    def _tiles_per_plane(self) -> int:
        grid = self.embeddings.grid(self.step)
        if self.region is None:
            return math.prod(grid.tiles)
        from napari_sam.segment.region import Region

        region = Region.parse(self.region, self.embeddings.image.shape_yx)
        (y0, x0), (y1, x1) = self.region.min(axis=0), self.region.max(axis=0)
        rows, columns = grid.tiles_in((y0, x0, y1, x1))
        return sum(region.meets(grid.core(row, column)) for row in rows for column in columns)

    def _n_encoded(self, n_planes: int) -> int:
        if self.planes is not None:
            return int(np.count_nonzero(self.embeddings.encoded_tiles(self.planes, self.step)))
        step = self.embeddings.grid(self.step).step
        store = self.embeddings.store
        if store is None:
            keys = self.embeddings.memory.keys()
            return sum(window.step == step for window in keys)
        planes = list(np.ndindex(*self.embeddings.image.plane_shape))
        return n_planes * math.prod(store.grid(step).tiles) - store.count_missing(planes, step)


def region_of(shapes: Shapes, image_layer: ImageLayer, plane: tuple[int, ...]) -> NDArray[Any]:
    """Return the polygon of a Shapes layer, (row, column) in pixels of the image.

    The selected shape, if one is; else the last one.

    Raises
    ------
    ValueError
        If there is no shape with an area.
    """
    selected = sorted(shapes.selected_data)
    kinds = ("rectangle", "polygon", "ellipse")
    usable = [i for i, kind in enumerate(shapes.shape_type) if kind in kinds]
    chosen = [i for i in selected if i in usable] or usable
    if not chosen:
        raise ValueError(
            f"Shapes layer {shapes.name!r} has no polygon and no rectangle: draw one around what "
            f"you want to segment."
        )
    vertices = layer_frame(shapes, image_layer, plane).map_points(shapes.data[chosen[-1]])
    if shapes.shape_type[chosen[-1]] == "ellipse":
        vertices = _on_ellipse(vertices[:, -2:])
    return np.asarray(vertices[:, -2:], float)


def default_out(image: Image, name: str) -> Path:
    """Return where labels go unless the user says it: beside the image, or in the user's cache.

    Another number is put behind the name until nothing complete is there.
    """
    from napari_sam.segment.record import image_path

    source = image_path(image)
    folder = _cache()
    if source is not None and "://" not in source:
        beside = _outside_zarr(Path(source).absolute())
        folder = beside if _is_writable(beside) else folder
    stem = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "image"
    numbers = ("", *(f"-{i}" for i in range(2, 10_000)))
    return next(
        path for number in numbers if not (path := folder / f"{stem}{number}{ENDING}").exists()
    )


def stage_text(progress: Progress) -> str:
    """Return what a run is doing, in words."""
    return f"{STAGES[progress.stage]} · {progress.n_done:,} of {progress.n_total:,}"


def _on_ellipse(corners: NDArray[Any]) -> NDArray[Any]:
    """Return the ellipse in a (turned) rectangle as a polygon."""
    center, (a, b) = corners.mean(axis=0), (corners[1:3] - corners[0:2]) / 2
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    return np.asarray(center + np.cos(angles) * a + np.sin(angles) * b)


def _cache() -> Path:
    where = QStandardPaths.StandardLocation.GenericCacheLocation
    return Path(QStandardPaths.writableLocation(where)) / "napari-sam"


def _outside_zarr(path: Path) -> Path:
    """Return the folder that a file, or the outermost zarr around it, is in."""
    stores = [each for each in (path, *path.parents) if each.suffix == ".zarr"]
    return (stores[-1] if stores else path).parent


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)
