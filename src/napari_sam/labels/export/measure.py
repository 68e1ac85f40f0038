"""What is measured of one object in one plane."""

from __future__ import annotations

from math import nan

import numpy as np

from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.objects import LabeledObject

SHAPE = ("eccentricity", "major_axis", "minor_axis", "perimeter", "solidity")
"""Columns that describe the shape of a flat object."""


def measure(found: LabeledObject, labels: LabelImage) -> dict[str, float]:
    """Measure one object in one plane with scikit-image, in physical units.

    Returns
    -------
    dict
        ``n_pixels``; ``area``; ``centroid_y``, ``centroid_x`` (of pixel centers, pixel 0 at 0);
        ``eccentricity``; ``major_axis``, ``minor_axis`` (of the ellipse with the same moments);
        ``perimeter`` (NaN where pixels are not square); ``solidity``; and for each channel i of
        the image ``mean_i``, ``min_i``, ``max_i``.
    """
    from skimage.measure import regionprops  # slow to import, which a window would wait for

    mask, scale = found.mask, labels.scale[-2:]
    pixels = None if found.pixels is None else np.moveaxis(found.pixels, 0, -1)
    (props,) = regionprops(mask.array.astype(np.uint8), pixels, spacing=scale)
    centroid = np.add(props.centroid, np.multiply(mask.box[:2], scale))
    measured = {
        "n_pixels": mask.area,
        "area": float(props.area),
        "centroid_y": float(centroid[0]),
        "centroid_x": float(centroid[1]),
        "eccentricity": float(props.eccentricity),
        "major_axis": float(props.axis_major_length),
        "minor_axis": float(props.axis_minor_length),
        "perimeter": float(props.perimeter) if scale[0] == scale[1] else nan,
        "solidity": float(props.solidity),
    }
    if found.pixels is not None:
        for channel, values in enumerate(found.pixels[:, mask.array]):
            measured[f"mean_{channel}"] = float(values.mean(dtype=np.float64))
            measured[f"min_{channel}"] = float(values.min())
            measured[f"max_{channel}"] = float(values.max())
    return measured
