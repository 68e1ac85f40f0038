"""Objects of planes and stacks: how they are found and written, in a thread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QStandardPaths

from napari_sam.image.label_axes import label_order
from napari_sam.labels.reordered import Reordered
from napari_sam.widgets.automatic_how import How
from napari_sam.widgets.automatic_scope import Scope
from napari_sam.widgets.layers import layer_frame
from napari_sam.widgets.predictor import Predictor

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Shapes

    from napari_sam.image import Image
    from napari_sam.labels import LabelsPyramid
    from napari_sam.masks.knobs import Thresholds
    from napari_sam.segment.output import Existing
    from napari_sam.segment.stack import Progress

STAGES = {
    "find": "Finding objects",
    "match": "Comparing neighboring tiles",
    "join": "Joining objects over tiles",
    "compare": "Counting pixels",
    "link": "Linking planes",
    "write": "Writing labels",
    "reduce": "Writing coarser levels",
}
ENDING = "-labels.zarr"


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
    scope : Scope
        Which planes.
    region : (N, 2) array, optional
        Vertices of a polygon, (row, column) in level-0 pixels; None: everywhere.
    out : path, optional
        Of the labels; None: see `default_out`.
    name : str
        Of the image.
    keep : labels array, optional
        Objects that are there already, in the order of the image's axes.
    existing : {"resume", "replace", "refuse"}
        What to do with an output that is there.
    """

    predictor: Predictor
    how: How
    thresholds: Thresholds | None
    scope: Scope
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
            planes=self.scope.planes,
            region=self.region,
            settings=SegmentSettings(self.how.settings(self.thresholds)),
            keep=None if self.keep is None else as_labels(self.keep, self.predictor.image),
            existing=self.existing,
            n_threads=1,  # the window needs Python too
        )
        yield labels


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


def as_labels(array: Any, image: Image) -> Any:
    """Return labels in the order of an image's axes in that of OME-Zarr labels."""
    return _reordered(array, label_order(image))


def as_image(array: Any, image: Image) -> Any:
    """Return OME-Zarr labels in the order of the axes of their image."""
    return _reordered(array, tuple(np.argsort(label_order(image)).tolist()))


def _reordered(array: Any, order: tuple[int, ...]) -> Any:
    return array if order == tuple(sorted(order)) else Reordered(array, order)


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
