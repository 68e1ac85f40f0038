"""Labels into a file of another program."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from napari_sam.image.image import Image
from napari_sam.labels.array import LabelsArray
from napari_sam.labels.export.coco import write_coco, write_sa1b
from napari_sam.labels.export.extra import check_extras
from napari_sam.labels.export.geojson import write_geojson
from napari_sam.labels.export.imagej import write_imagej
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.measurements import columns, in_one_unit, iter_measurements, unit_of
from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.export.objects import check_same_shape
from napari_sam.labels.export.scores import Scores
from napari_sam.labels.export.table import write_csv, write_parquet
from napari_sam.labels.export.tiff import write_tiff
from napari_sam.labels.pyramid import LabelsPyramid


@dataclass(frozen=True)
class _Content:
    """All that a format may write."""

    labels: LabelImage
    image: Image | None
    scores: Scores

    def write_table(self, write: Callable[..., None], path: Path) -> None:
        labels = in_one_unit(self.labels)
        unit_of(labels)
        known = labels, self.image, self.scores
        write(iter_measurements(*known), columns(*known), path)


FORMATS: dict[str, Callable[[_Content, Path], None]] = {
    ".sa1b.json": lambda content, path: write_sa1b(content.labels, path, content.scores),
    ".json": lambda content, path: write_coco(content.labels, path, content.scores),
    ".geojson": lambda content, path: write_geojson(
        content.labels, path, content.scores, content.image
    ),
    ".zip": lambda content, path: write_imagej(content.labels, path),
    ".tif": lambda content, path: write_tiff(content.labels, path),
    ".tiff": lambda content, path: write_tiff(content.labels, path),
    ".csv": lambda content, path: content.write_table(write_csv, path),
    ".parquet": lambda content, path: content.write_table(write_parquet, path),
}
"""The end of a file's name → what writes it; the first that fits."""

PACKAGES = {
    ".geojson": ("shapely",),
    ".zip": ("roifile", "shapely"),
    ".parquet": ("pyarrow",),
    ".histograms.png": ("matplotlib",),
}
"""The end of a file's name → packages of the extra ``export`` that it needs."""


def check_packages(name: str) -> None:
    """Refuse a file that needs a package that is not installed, before anything is computed.

    Parameters
    ----------
    name : str
        Its name, or the end of it.

    Raises
    ------
    ImportError
        Says which package, and how to get it.
    """
    for end, packages in PACKAGES.items():
        if name.lower().endswith(end):
            check_extras(packages, f"Writing {end}")


def export_labels(
    labels: LabelsArray | LabelsPyramid,
    path: str | os.PathLike[str],
    *,
    image: Image | None = None,
    axes: str | None = None,
    scale: Sequence[float] | None = None,
    units: Sequence[str | None] | None = None,
    scores: Mapping[str, ArrayLike] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write labels in the format that the end of the file's name stands for.

    ``.tif`` OME-TIFF; ``.json`` COCO; ``.sa1b.json`` SA-1B; ``.geojson`` for QuPath; ``.zip``
    ImageJ regions; ``.csv`` and ``.parquet`` a table of measurements. Objects are read one by one,
    block by block: memory stays at the largest object, not the image. The file appears when it is
    complete.

    Parameters
    ----------
    labels : numpy.ndarray, zarr.Array or LabelsPyramid
        (…, rows, columns) integers; 0 is the background.
    path : path
        The file.
    image : Image, optional
        Of the same shape: the intensities of the channels that it reads are measured.
    axes, scale, units : optional
        One entry per axis. Default: what a pyramid knows; else 1 pixel.
    scores : mapping of columns, optional
        "label", and any of "predicted_iou", "stability", "point" (row, column) of each object;
        :func:`~napari_sam.labels.export.scores.table_scores` makes it of a table of masks.
    overwrite : bool
        Whether the file may be there already.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError, OSError
        If it is there already, or cannot be written; nothing half-written stays.
    ImportError
        If the format needs a package that is not installed.
    TypeError, ValueError
        If no format has this name, or the labels, image and scores do not fit.
    """
    target = Path(path)
    write = next((FORMATS[end] for end in FORMATS if target.name.lower().endswith(end)), None)
    if write is None:
        raise ValueError(
            f"No format is known for {target.name!r}; expected a name that ends in "
            f"{', '.join(FORMATS)}."
        )
    check_packages(target.name)
    described = LabelImage.of(labels, axes=axes, scale=scale, units=units)
    content = _Content(described, image, Scores.parse(scores))
    if image is not None:
        check_same_shape(described, image)
    with new_file(target, overwrite=overwrite) as unfinished:
        write(content, unfinished)
    return target
