"""A napari Labels layer as something to write masks into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray

from napari_sam.image.label_axes import label_axes, label_order
from napari_sam.labels.levels import Levels, check_levels
from napari_sam.labels.pyramid import half_shape
from napari_sam.widgets.insert_layer import insert_layer
from napari_sam.widgets.layers import placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.image import Image
    from napari_sam.labels import LabelsPyramid
    from napari_sam.labels.save import SavedLabels

LARGE_PX = 8192**2
"""An array of more pixels is kept in chunks, and a plane of more is shown from a pyramid."""

PATCH_SHARE = 0.05
"""Up to this part of a plane only the changed pixels are handed to napari, one by one, at some 100
ns each; beyond it the plane is drawn anew, which takes 1 to 5 ns for each of its pixels. napari's
own undo then knows nothing of it."""

ANOTHER = "Choose a new one, or open its folder with Open labels …"
"""What to do about labels that cannot be written into."""

CHUNK_SIDE = 512
COARSEST_SIDE = 1024


class ShownLabels:
    """The full-resolution array of a Labels layer; what is written into it shows at once.

    Reading and writing touch only the region asked for. Use on the main thread.

    Parameters
    ----------
    layer : Labels
        Of one level or several.
    pyramid : LabelsPyramid, optional
        Where its data lie on disk, if they do: the coarser levels are kept up to date.
    """

    def __init__(self, layer: Labels, pyramid: LabelsPyramid | None = None) -> None:
        self.layer = layer
        self._pyramid = pyramid
        self._levels = list(layer.data) if layer.multiscale else [layer.data]
        self._are_together = self._is_stale = False
        self._n_changed = 0

    @property
    def levels(self) -> list[Any]:
        """The arrays, from the finest to the coarsest."""
        return list(self._levels)

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
        if self.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {self.dtype}, but labels are integers.")
        try:
            check_levels(self._levels)
        except ValueError as error:
            raise ValueError(f"{name} cannot be changed. {error} {ANOTHER}") from error

    def fits(self, image: Image) -> bool:
        """Whether masks of this image can be written into the layer."""
        try:
            self.check(image)
        except ValueError:
            return False
        return True

    def __getitem__(self, region: tuple[int | slice, ...]) -> NDArray[Any]:
        return np.asarray(self.array[region])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Count what is written meanwhile as one: if it is much, the plane is drawn once."""
        self._are_together, self._n_changed = True, 0
        try:
            yield
        finally:
            self._are_together = False
            if self._is_stale:
                self._draw()

    def __setitem__(self, region: tuple[int | slice, ...], values: NDArray[Any]) -> None:
        if self.layer.multiscale:
            whole = Levels(self._levels) if self._pyramid is None else self._pyramid
            whole[region] = values
            self._draw()
            return
        self._write(region, values)
        if self._pyramid is not None:
            self._pyramid.update(region)

    def _write(self, region: tuple[int | slice, ...], values: NDArray[Any]) -> None:
        if self._is_stale:  # all of it is drawn anew
            self.array[region] = values
            return
        changed = np.asarray(values) != self[region]
        n_before = self._n_changed if self._are_together else 0
        self._n_changed = n_before + int(np.count_nonzero(changed))
        if self._n_changed > PATCH_SHARE * self.shape[-2] * self.shape[-1]:
            self.array[region] = values
            self._draw()
        else:
            self._patch(region, values, changed)

    def _draw(self) -> None:
        """Draw the plane anew: now, or when all that belongs together is written."""
        self._is_stale = self._are_together
        if not self._is_stale:
            self.layer.refresh(extent=False, highlight=False)

    def _patch(
        self, region: tuple[int | slice, ...], values: NDArray[Any], changed: NDArray[np.bool_]
    ) -> None:
        """Write the changed pixels of a region; napari uploads only that part of the texture."""
        *plane, rows, columns = region
        inside = np.nonzero(changed)
        indices = [np.full(len(inside[0]), index) for index in plane]
        starts = [axis.start or 0 for axis in (rows, columns)]  # type: ignore[union-attr]
        indices += [index + start for index, start in zip(inside, starts, strict=True)]
        self.layer.data_setitem(tuple(indices), values[changed])
        if not self.layer.loaded:
            self._draw()


def painted_pixels(atom: Any) -> tuple[tuple[NDArray[np.integer], ...], Any, Any]:
    """Return what napari tells of a stroke of the brush: indices, values before, values after.

    It tells either that, or a box, which pixels in it were changed (None: all), and one new value.
    """
    if len(atom) == 3:
        where, before, after = atom
        return where, before, after
    box, changed, before, after = atom
    inside = np.nonzero(np.ones(before.shape, bool) if changed is None else changed)
    where = tuple(index + axis.start for index, axis in zip(inside, box, strict=True))
    return where, np.ravel(before), after


def make_labels(image_layer: ImageLayer, image: Image, *, at_least: int = 0) -> Labels:
    """Return an empty Labels layer that lies on an image layer; takes no memory until written.

    Its type is uint16, which is drawn quickly, or wide enough for the label `at_least`.

    Small images get a numpy array; large ones a zarr array in memory, of which only the chunks with
    objects exist; and where one plane is too large to be drawn at once, a pyramid of them.
    """
    from napari.layers import Labels

    shape = (*image.plane_shape, *image.shape_yx)
    dtype = np.promote_types(np.uint16, np.min_scalar_type(at_least))
    return Labels(
        _empty_array(shape, dtype),
        name=f"{image_layer.name} labels",
        **placement(image_layer),
        axis_labels=image_layer.axis_labels,
    )


def labels_on_disk(saved: SavedLabels, image_layer: ImageLayer) -> Labels:
    """Return a Labels layer that shows labels on disk where an image is.

    A plane that can be drawn at once is shown from the finest level, so that it can be painted too.
    """
    from napari.layers import Labels

    levels = list(saved.pyramid.levels)
    is_large = levels[0].shape[-2] * levels[0].shape[-1] > LARGE_PX
    return Labels(
        levels if is_large else levels[0],
        multiscale=is_large,
        name=saved.path.name.partition(".")[0] or saved.path.name,
        **placement(image_layer),
        axis_labels=image_layer.axis_labels,
    )


def layout_on_disk(layer: Labels, image: Image) -> dict[str, Any]:
    """Return axes, pixel sizes, units and levels of a layer, as `save_labels` takes them."""
    axes, order = label_axes(image), label_order(image)
    is_usual = "p" not in axes and order == tuple(range(len(order)))
    units = [str(unit) for unit in layer.units]
    return {
        "axes": axes if is_usual else None,
        "scale": np.abs(layer.scale).tolist(),
        "units": [None if unit in ("pixel", "dimensionless") else unit for unit in units],
        "n_levels": 1 + layer.multiscale,  # for napari a pyramid of one level is none
    }


def insert_above(viewer: ViewerModel, image_layer: ImageLayer, layer: Labels) -> None:
    """Put a layer just above an image; the active layer stays."""
    insert_layer(viewer.layers, viewer.layers.index(image_layer) + 1, layer)


def _empty_array(shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    if np.prod(shape, dtype=float) <= LARGE_PX:
        return np.zeros(shape, dtype)
    if shape[-2] * shape[-1] <= LARGE_PX:
        return _empty_zarr(shape, dtype)
    levels = [_empty_zarr(shape, dtype)]
    while max(levels[-1].shape[-2:]) > COARSEST_SIDE:
        levels.append(_empty_zarr(half_shape(levels[-1].shape), dtype))
    return levels


def _empty_zarr(shape: Sequence[int], dtype: DTypeLike) -> zarr.Array[Any]:
    chunks = (1,) * (len(shape) - 2) + tuple(min(side, CHUNK_SIDE) for side in shape[-2:])
    return zarr.create_array({}, shape=tuple(shape), chunks=chunks, dtype=dtype, fill_value=0)
