"""A napari Labels layer as something to write masks into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels import LabelsPyramid
from napari_sam.labels.pyramid import half_shape
from napari_sam.widgets.layers import placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.image import Image

LARGE_PX = 8192**2
"""An array of more pixels is kept in chunks, and a plane of more is shown from a pyramid."""

CHUNK_SIDE = 512
COARSEST_SIDE = 1024


class ShownLabels:
    """The full-resolution array of a Labels layer; what is written into it shows at once.

    Reading and writing touch only the region asked for. Use on the main thread.
    """

    def __init__(self, layer: Labels) -> None:
        self.layer = layer
        self._levels = list(layer.data) if layer.multiscale else [layer.data]

    @property
    def array(self) -> Any:
        """The array, of level 0 if there are several."""
        return self._levels[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return np.dtype(self.array.dtype)

    def check(self, image: Image) -> None:
        """Refuse a layer that masks of this image cannot be written into.

        Raises
        ------
        ValueError
            If its shape is not the image's, or its data cannot be written in place.
        """
        name = f"Labels layer {self.layer.name!r}"
        shape = (*image.plane_shape, *image.shape_yx)
        if self.shape != shape:
            raise ValueError(
                f"{name} has shape {self.shape}, the image {shape}. Choose another, or a new one."
            )
        writable = (zarr.Array,) if self.layer.multiscale else (np.ndarray, zarr.Array)
        if not all(isinstance(level, writable) for level in self._levels):
            raise ValueError(
                f"{name} holds {type(self.array).__module__.partition('.')[0]} data, which cannot "
                "be written in place. Choose a new one, or open it as numpy or zarr."
            )
        if self.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {self.dtype}, but labels are integers.")

    def __getitem__(self, region: tuple[int | slice, ...]) -> NDArray[Any]:
        return np.asarray(self.array[region])

    def __setitem__(self, region: tuple[int | slice, ...], values: NDArray[Any]) -> None:
        if self.layer.multiscale:
            self.array[region] = values
            LabelsPyramid(zarr.create_group({}), tuple(self._levels)).update(region)
            self.layer.refresh(extent=False, highlight=False)
            return
        changed = np.asarray(values) != self[region]
        *plane, rows, columns = region
        inside = np.nonzero(changed)
        indices = [np.full(len(inside[0]), index) for index in plane]
        starts = [axis.start or 0 for axis in (rows, columns)]  # type: ignore[union-attr]
        indices += [index + start for index, start in zip(inside, starts, strict=True)]
        # The one call for which napari uploads only the changed part of the texture.
        self.layer.data_setitem(tuple(indices), values[changed])
        if not self.layer.loaded:
            self.layer.refresh(extent=False)


def make_labels(image_layer: ImageLayer, image: Image) -> Labels:
    """Return an empty Labels layer that lies on an image layer; takes no memory until written.

    Small images get a numpy array; large ones a zarr array in memory, of which only the chunks with
    objects exist; and where one plane is too large to be drawn at once, a pyramid of them.
    """
    from napari.layers import Labels

    shape = (*image.plane_shape, *image.shape_yx)
    return Labels(
        _empty_array(shape),
        name=f"{image_layer.name} labels",
        **placement(image_layer),
        axis_labels=image_layer.axis_labels,
    )


def _empty_array(shape: tuple[int, ...]) -> Any:
    if np.prod(shape, dtype=float) <= LARGE_PX:
        return np.zeros(shape, np.uint16)
    if shape[-2] * shape[-1] <= LARGE_PX:
        return _empty_zarr(shape)
    levels = [_empty_zarr(shape)]
    while max(levels[-1].shape[-2:]) > COARSEST_SIDE:
        levels.append(_empty_zarr(half_shape(levels[-1].shape)))
    return levels


def _empty_zarr(shape: Sequence[int]) -> zarr.Array[Any]:
    chunks = (1,) * (len(shape) - 2) + tuple(min(side, CHUNK_SIDE) for side in shape[-2:])
    return zarr.create_array({}, shape=tuple(shape), chunks=chunks, dtype="uint16", fill_value=0)
