"""From napari layers to images and image pixels: axes, levels, units, and the plane on screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pint

from napari_sam.image import Image, open_image
from napari_sam.image.axes import slider_axes
from napari_sam.prompts import Frame, Prompts

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer, Points, Shapes

MOST_SLIDERS = 3
"""Whatever the axes of a layer mean, all but the last two are stepped through by sliders."""

SWITCH_TO_2D = "Prompts work on one slice. Switch to 2-D (the cube icon)."


def unwrap(viewer: Any) -> ViewerModel:
    """Return the viewer behind the proxy that napari hands to plugins, or the viewer itself."""
    return getattr(viewer, "__wrapped__", viewer)


def iter_images(viewer: ViewerModel) -> Iterator[ImageLayer]:
    """Yield the Image layers of a viewer, from the bottom to the top."""
    from napari.layers import Image as ImageLayer

    yield from (layer for layer in viewer.layers if isinstance(layer, ImageLayer))


def foremost_image(viewer: ViewerModel) -> ImageLayer | None:
    """Return the topmost Image layer, if there is any; a hidden one only if all are."""
    images = list(iter_images(viewer))
    visible = [layer for layer in images if layer.visible]
    return (visible or images or [None])[-1]


def check_layer(viewer: ViewerModel, layer: Any, kind: Literal["Image", "Labels"]) -> None:
    """Refuse what is no layer of a kind in a viewer.

    Raises
    ------
    ValueError
        If it is none.
    """
    import napari.layers

    if not isinstance(layer, getattr(napari.layers, kind)) or layer not in viewer.layers:
        raise ValueError(
            f"{layer!r} is no {kind} layer of this viewer; expected one, such as "
            "viewer.layers['its name']."
        )


def open_layer(layer: ImageLayer, sliders: str | None = None) -> Image:
    """Open the data of a napari Image layer, all its levels; nothing is read yet.

    Parameters
    ----------
    layer
        The layer.
    sliders
        A letter of "ptcz" for each axis in front of rows and columns; of channels, c, each has an
        intensity of its own. Default: as if they had no names, see `slider_axes`.

    Raises
    ------
    TypeError
        If its data is not an array of real numbers.
    ValueError
        If the layer has more axes besides colors than an image can have.
    """
    if layer.ndim > MOST_SLIDERS + 2:
        raise ValueError(
            f"Image layer {layer.name!r} has {layer.ndim} axes; at most {MOST_SLIDERS + 2} will "
            "do. Split it: right click ▸ Split Stack."
        )
    levels = list(layer.data) if layer.multiscale else [layer.data]
    for level in levels:
        if not isinstance(getattr(level, "dtype", None), np.dtype):
            raise TypeError(
                f"Image layer {layer.name!r} holds a {type(level).__name__}, which is no array as "
                "of numpy, dask or zarr. Give it one: layer.data = numpy.asarray(layer.data)."
            )
    sliders = slider_axes([""] * (layer.ndim - 2)) if sliders is None else sliders
    return open_image(
        levels if layer.multiscale else levels[0],
        axes=sliders.replace("c", "p") + "yx" + "c" * layer.rgb,
        channel_axis="p" if "c" in sliders else None,
    )


def data_to_world(layer: Layer) -> np.ndarray:
    """Return the homogeneous matrix (ndim + 1, ndim + 1) from a layer's data to its world.

    Built from napari's public one-point conversion, which neglects units: the result is in the
    layer's own units.
    """
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    columns = [np.asarray(layer.data_to_world(axis)) - origin for axis in np.eye(layer.ndim)]
    matrix = np.eye(layer.ndim + 1)
    matrix[:-1, :-1] = np.stack(columns, axis=1)
    matrix[:-1, -1] = origin
    return matrix


def unit_factors(source: Sequence[Any], target: Sequence[Any]) -> np.ndarray:
    """Return by what to multiply lengths in `source` units to have them in `target` units.

    One factor for each axis that both have, the last ones. Units that do not convert into each
    other (pixel and micrometer) count as equal, as in napari.
    """
    shared = min(len(source), len(target))
    try:
        return np.array(
            [
                (1 * old).to(new).magnitude
                for old, new in zip(source[-shared:], target[-shared:], strict=True)
            ]
        )
    except pint.DimensionalityError:
        return np.ones(shared)


def world_frame(viewer: ViewerModel, layer: ImageLayer) -> Frame:
    """Return the frame from the viewer's world, its last axes, to the pixels of a layer."""
    return _world_frame(data_to_world(layer).tobytes(), viewer.layers.extent.units, layer.units)


@lru_cache(maxsize=16)  # a move of the mouse asks several times
def _world_frame(
    to_world: bytes, world_units: tuple[Any, ...] | None, units: tuple[Any, ...]
) -> Frame:
    factors = 1.0 if world_units is None else unit_factors(world_units, units)
    matrix = np.frombuffer(to_world).reshape(len(units) + 1, -1)
    return Frame.between(np.eye(len(matrix)), matrix, unit_factors=factors)


def layer_frame(
    layer: Layer, image_layer: ImageLayer, plane: tuple[int, ...] | None = None
) -> Frame:
    """Return the frame from the data of a Points or Shapes layer to the pixels of an image layer.

    A layer with fewer axes than the image stands on the image's last ones, as on screen; `plane`
    says where on the others.
    """
    image_to_world = data_to_world(image_layer)
    point = None if plane is None else (image_to_world @ [*plane, 0.0, 0.0, 1.0])[:-1]
    return Frame.between(
        data_to_world(layer),
        image_to_world,
        unit_factors=unit_factors(layer.units, image_layer.units),
        world_point=point,
    )


def check_view(viewer: ViewerModel) -> None:
    """Refuse a view in which a click does not say which pixel is meant.

    Raises
    ------
    ValueError
        If the view is 3-D, or shows other axes than the last two.
    """
    dims = viewer.dims
    if dims.ndisplay == 3:
        raise ValueError(SWITCH_TO_2D)
    if set(dims.displayed) != {dims.ndim - 2, dims.ndim - 1}:
        shown = " and ".join(dims.axis_labels[axis] for axis in dims.displayed)
        raise ValueError(
            f"The view shows the axes {shown}; prompts work on the last two, "
            f"{dims.axis_labels[-2]} and {dims.axis_labels[-1]}. Roll the axes back (the button "
            "with the arrows beside the cube icon)."
        )


def to_pixel(
    viewer: ViewerModel, layer: ImageLayer, position: Sequence[float]
) -> tuple[tuple[int, ...], float, float]:
    """Return the plane, row and column of a position in the viewer's world.

    Parameters
    ----------
    viewer, layer
        The viewer and its image layer.
    position : sequence of float
        World coordinates, the viewer's last axes last, in the viewer's units.

    Raises
    ------
    ValueError
        If the view is not on one plane of the image (see `check_view`), or on one beside it.
    """
    check_view(viewer)
    frame = world_frame(viewer, layer)
    if not _keeps_planes(frame):
        raise ValueError(
            f"Image layer {layer.name!r} is turned or sheared out of the plane of the view, which "
            "cuts across its planes; prompts work on one of them. Set its rotate and shear to 0 "
            "along the sliders, or resample the image."
        )
    world = np.zeros(layer.ndim)
    known = np.asarray(position, float)[-layer.ndim :]
    world[len(world) - len(known) :] = known
    *at, y, x = frame.map_points(world[None])[0]
    plane, shape = tuple(round(index) for index in at), shape_of(layer)
    if not all(0 <= index < length for index, length in zip(plane, shape, strict=False)):
        raise ValueError(
            f"The sliders stand beside image layer {layer.name!r}: at plane {_text(plane)}, where "
            f"it has {_text(shape[:-2])}, from 0. Move them, or choose another image."
        )
    return plane, float(y), float(x)


def shape_of(layer: ImageLayer) -> tuple[int, ...]:
    """Return the shape of an image layer at full resolution, without colors."""
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    return tuple(int(length) for length in shape[: layer.ndim])


def _keeps_planes(frame: Frame) -> bool:
    """Whether rows and columns of the view are those of the image, on every plane the same."""
    linear = np.abs(frame.matrix[:-1, :-1])
    is_none = linear <= 1e-6 * linear.max(axis=1, keepdims=True)
    return bool(is_none[:-2, -2:].all() and is_none[-2:, :-2].all())


def _text(plane: Sequence[int]) -> str:
    return str(plane[0]) if len(plane) == 1 else str(tuple(plane))


def current_plane(viewer: ViewerModel, layer: ImageLayer) -> tuple[int, ...]:
    """Return the plane of the image that the sliders show (see `to_pixel` for what is refused)."""
    return to_pixel(viewer, layer, viewer.dims.point)[0]


def screen_px(viewer: ViewerModel, layer: ImageLayer) -> float:
    """Return how many pixels of the screen one pixel of the image takes."""
    area = np.linalg.det(world_frame(viewer, layer).matrix[-3:-1, -3:-1])
    return float(viewer.scene.camera.zoom / np.sqrt(abs(area)))


def placement(
    image_layer: ImageLayer, corner: np.ndarray | None = None, thinning: int | np.ndarray = 1
) -> dict[str, Any]:
    """Return the arguments that put a layer of as many axes where (a part of) an image is.

    Parameters
    ----------
    image_layer
        The image.
    corner : (ndim,) array, optional
        Pixel of the image that is the first of the layer.
    thinning : int or (2,) array
        Rows and columns of the image per row and column of the layer.
    """
    scale, translate = np.array(image_layer.scale), image_layer.translate
    if corner is not None:
        middle = np.array(corner, float)
        middle[-2:] += (thinning - 1) / 2
        world = np.append(image_layer.data_to_world(middle), 1.0)
        translate = np.linalg.solve(image_layer.affine.affine_matrix, world)[:-1]
        scale[-2:] *= thinning
    return {
        "scale": scale,
        "translate": translate,
        "rotate": image_layer.rotate,
        "shear": image_layer.shear,
        "affine": image_layer.affine.affine_matrix,
        "units": image_layer.units,
    }


def place(layer: Layer, where: dict[str, Any]) -> None:
    """Move a layer to a `placement`; sets only what differs."""
    for name, (_, value) in differences(layer, where).items():
        setattr(layer, name, value)


def differences(layer: Layer, where: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what differs from a `placement`, by its name: as it is, and as it is there."""
    pairs = {
        name: (layer.affine.affine_matrix if name == "affine" else getattr(layer, name), value)
        for name, value in where.items()
    }
    return {name: pair for name, pair in pairs.items() if not np.array_equal(*pair)}


def lies_on(layer: Layer, image_layer: ImageLayer) -> bool:
    """Whether a layer of the shape of an image is where that is, to half a pixel."""
    off = np.abs(layer_frame(layer, image_layer).matrix[:-1] - np.eye(layer.ndim + 1)[:-1])
    return bool((off @ [*shape_of(image_layer), 1] < 0.5).all())


def prompts_from_layers(
    image_layer: ImageLayer,
    points: Points | None = None,
    boxes: Shapes | None = None,
    *,
    plane: tuple[int, ...] = (),
) -> Prompts:
    """Read prompts from napari layers of any scale, translation, rotation and units.

    Parameters
    ----------
    image_layer
        The image that the prompts are for.
    points
        Points layer; a feature column ``label`` with ``"negative"`` marks negative points.
    boxes
        Shapes layer; the last rectangle is the box.
    plane
        Plane of the image; prompts on other planes are left out.
    """
    found = Prompts()
    if points is not None:
        pixels = layer_frame(points, image_layer, plane).map_points(points.data)
        signs = points.features.get("label", ["positive"] * len(pixels))
        for pixel, sign in zip(pixels, signs, strict=True):
            if _on_plane(pixel, plane):
                found = found.with_point(pixel[-2], pixel[-1], sign != "negative")
    if boxes is not None:
        frame = layer_frame(boxes, image_layer, plane)
        for vertices in boxes.data:
            if _on_plane(frame.map_points(vertices)[0], plane):
                found = found.with_box(frame.map_box(vertices))
    return found


def _on_plane(pixel: np.ndarray, plane: tuple[int, ...]) -> bool:
    return tuple(np.rint(pixel[:-2]).astype(int).tolist()) == plane
