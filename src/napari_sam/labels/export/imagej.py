"""Labels as a zip of ImageJ regions of interest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from napari_sam.labels.export.extra import load_extra
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.objects import LabeledObject, iter_objects
from napari_sam.labels.export.outline import pixel_outline

if TYPE_CHECKING:
    from roifile import ImagejRoi

MAX_COORDINATE = 32_767
"""The largest coordinate of a region's box in ImageJ's file format."""

MOVE, LINE, CLOSE = 0, 1, 4
"""Steps of a path, as Java numbers them."""


def write_imagej(labels: LabelImage, path: Path) -> None:
    """Write a region per object and plane, named by its label, in its slice of the stack.

    An object in one piece is a polygon; one with holes or islands is a composite.

    Raises
    ------
    ImportError
        If roifile is not installed.
    ValueError
        If an object lies beyond the coordinates that ImageJ's files can hold.
    """
    roifile = load_extra("roifile", "Writing ImageJ regions")
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for found in iter_objects(labels):
            index = labels.named(found.plane)
            name = "-".join([*(f"{axis}{i}" for axis, i in index.items()), str(found.label)])
            region = _region(roifile, found)
            region.name = name
            for axis, i in index.items():
                setattr(region, f"{axis}_position", i + 1)
            file.writestr(f"{name}.roi", region.tobytes())


def _region(roifile: Any, found: LabeledObject) -> ImagejRoi:
    y0, x0, y1, x1 = found.mask.box
    if max(y1, x1) > MAX_COORDINATE:
        raise ValueError(
            f"Object {found.label} reaches to ({y1}, {x1}), and files of ImageJ regions to "
            f"{MAX_COORDINATE}; write GeoJSON instead."
        )
    outline = pixel_outline(found.mask)
    box = {"top": y0, "left": x0, "bottom": y1, "right": x1}
    if outline.geom_type == "Polygon" and not outline.interiors:
        corners = np.array(outline.exterior.coords[:-1], np.int32)
        return roifile.ImagejRoi(
            roitype=roifile.ROI_TYPE.POLYGON,
            n_coordinates=len(corners),
            integer_coordinates=corners - (x0, y0),
            **box,
        )
    path = np.array(list(_path(outline)), np.float32)
    return roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT, shape_roi_size=len(path), multi_coordinates=path, **box
    )


def _path(outline: Any) -> Iterator[float]:
    """Yield an outline as steps and coordinates, one ring after the other."""
    for polygon in getattr(outline, "geoms", [outline]):
        for ring in (polygon.exterior, *polygon.interiors):
            for number, corner in enumerate(ring.coords[:-1]):
                yield from (LINE if number else MOVE, *corner)
            yield CLOSE
