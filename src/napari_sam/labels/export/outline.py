"""The outline of a mask along the edges of its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.labels.export.extra import load_extra
from napari_sam.masks.mask import Mask

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon


def pixel_outline(mask: Mask) -> Polygon | MultiPolygon:
    """Return the exact shape of a mask, with its holes; its area is the number of pixels.

    The union of the runs of pixels in each row. Parts that touch at a corner are polygons of their
    own.

    Parameters
    ----------
    mask : Mask
        Not empty.

    Returns
    -------
    shapely.Polygon or shapely.MultiPolygon
        Of (x, y) counted from the corner of the image: pixel 0 reaches from 0 to 1.

    Raises
    ------
    ImportError
        If shapely is not installed.
    """
    shapely: Any = load_extra("shapely", "Writing outlines")
    padded = np.pad(mask.array, ((0, 0), (1, 1)))
    row, column = np.nonzero(padded[:, 1:] != padded[:, :-1])
    y0, x0 = mask.box[:2]
    y, start, stop = row[::2] + y0, column[::2] + x0, column[1::2] + x0
    return shapely.union_all(shapely.box(start, y, stop, y + 1)).simplify(0)
