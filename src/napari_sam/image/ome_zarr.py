"""The levels and metadata of an OME-Zarr image (0.1 to 0.5), or of a plain zarr array or group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from napari_sam.image.axes import axes_from_names
from napari_sam.image.source import Source, Transform, parse_unit

_LETTERS_BY_TYPE = {"time": "t", "channel": "c"}


def describe_zarr(
    node: zarr.Array[Any] | zarr.Group, axes: str | None = None, series: int | None = None
) -> Source:
    """Return the arrays from fine to coarse, and what the metadata tell.

    A group without OME-Zarr metadata is an image if it holds one array, or arrays that are named by
    numbers, the levels.

    Parameters
    ----------
    node : zarr array or group
        Opened.
    axes : str, optional
        Of the arrays, where the metadata need not tell.
    series : int, optional
        Which image, if there are several beside each other.

    Raises
    ------
    ValueError
        If there is no image, or not this series.
    """
    if isinstance(node, zarr.Array):
        _check_series(node, series, 1)
        return _describe_array(node, axes)
    attributes: dict[str, Any] = dict(node.attrs)
    attributes = attributes.get("ome", attributes)
    if images := attributes.get("multiscales"):
        _check_series(node, series, len(images))
        return _describe_image(node, images[series or 0], attributes.get("omero", {}), axes)
    if "bioformats2raw.layout" in attributes:
        return _describe_series(node, axes, series)
    arrays = _plain_levels(node)
    if arrays is None:
        raise ValueError(_no_image(node, attributes))
    _check_series(node, series, 1)
    return Source(arrays, name=str(node.store_path))


def _describe_array(array: zarr.Array[Any], axes: str | None) -> Source:
    """Take the axes of zarr v3's dimension names, or of those that xarray writes into v2."""
    names: Any = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS")
    if axes is None and isinstance(names, list | tuple):
        try:
            axes = axes_from_names([str(name) for name in names])
        except ValueError:  # such as dim_0: no better than no names
            axes = None
    return Source([array], axes=axes, name=str(array.store_path))


def _describe_image(
    group: zarr.Group, image: Mapping[str, Any], omero: Mapping[str, Any], axes: str | None
) -> Source:
    name = str(group.store_path)
    try:
        nodes = [group[dataset["path"]] for dataset in image["datasets"]]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The OME-Zarr image {name} lists a level that is not there: {error}. Copy it again."
        ) from error
    arrays = [node for node in nodes if isinstance(node, zarr.Array)]
    if not arrays or len(arrays) < len(nodes):
        raise ValueError(f"The OME-Zarr image {name} lists no levels, or some that are no arrays.")
    described = [_as_mapping(axis) for axis in image.get("axes", ())]
    if axes is None and described:
        axes = axes_from_names(
            [_LETTERS_BY_TYPE.get(axis.get("type", ""), axis["name"]) for axis in described]
        )
    elif axes is None and arrays[0].ndim == 5:
        axes = "tczyx"  # the only order before version 0.3
    return Source(
        arrays,
        axes=axes,
        transforms=_transforms(image, arrays[0].ndim),
        units=tuple(parse_unit(axis.get("unit")) for axis in described),
        channel_names=_channel_names(omero),
        name=name,
    )


def _as_mapping(axis: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an axis as later versions describe it; version 0.3 has its name alone."""
    return {"name": axis} if isinstance(axis, str) else axis


def _transforms(image: Mapping[str, Any], n_axes: int) -> tuple[Transform, ...]:
    """Return the transforms of all levels, or none if one is not told or not understood."""
    whole = _transform(image, n_axes) or Transform((1.0,) * n_axes, (0.0,) * n_axes)
    transforms = []
    for dataset in image["datasets"]:
        own = _transform(dataset, n_axes)
        if own is None:
            return ()
        scale = tuple(a * b for a, b in zip(own.scale, whole.scale, strict=True))
        moved = zip(own.translation, whole.scale, whole.translation, strict=True)
        transforms.append(Transform(scale, tuple(t * s + shift for t, s, shift in moved)))
    return tuple(transforms)


def _transform(described: Mapping[str, Any], n_axes: int) -> Transform | None:
    found: dict[str, tuple[float, ...]] = {"translation": (0.0,) * n_axes}
    for part in described.get("coordinateTransformations", ()):
        numbers = part.get(part.get("type"))
        if isinstance(numbers, list) and len(numbers) == n_axes:
            found[part["type"]] = tuple(float(number) for number in numbers)
    if not all(size > 0 for size in found.get("scale", (0.0,))):
        return None
    return Transform(found["scale"], found["translation"])


def _channel_names(omero: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(channel.get("label", "")) for channel in omero.get("channels", ()))


def _describe_series(group: zarr.Group, axes: str | None, series: int | None) -> Source:
    """Open one of the images that bioformats2raw writes beside each other: 0, 1, ….."""
    count = 0
    while str(count) in group:
        count += 1
    _check_series(group, series, count)
    return describe_zarr(group[str(series or 0)], axes)


def _check_series(node: zarr.Array[Any] | zarr.Group, series: int | None, count: int) -> None:
    if not 0 <= (series or 0) < count:
        images = "one image" if count == 1 else f"{count} images"
        raise ValueError(f"{node.store_path} holds {images}, and no series={series or 0}.")


def _plain_levels(group: zarr.Group) -> list[zarr.Array[Any]] | None:
    """Return the only array of a group without metadata, or those named 0, 1, 2, …."""
    arrays = dict(group.arrays()) if group.store.supports_listing else {}
    if len(arrays) == 1:
        return list(arrays.values())
    numbers = [str(number) for number in range(len(arrays))]
    if arrays and set(arrays) == set(numbers):
        return [arrays[number] for number in numbers]
    return None


def _no_image(group: zarr.Group, attributes: Mapping[str, Any]) -> str:
    name = str(group.store_path)
    members = sorted(group.keys()) if group.store.supports_listing else []
    if "plate" in attributes:
        wells = attributes["plate"].get("wells") or [{"path": "A/1"}]
        return (
            f"{name} is a plate of {len(wells)} wells: open one of its images, for example "
            f"{name}/{wells[0]['path']}/0."
        )
    if members == ["labels"] or "labels" in attributes:
        return (
            f"{name} holds labels and no image: open the image that they were made from, or, to "
            f"see them, one of the labels with open_labels."
        )
    return (
        f"The zarr group {name} holds no OME-Zarr image (no multiscales metadata). Its members are "
        f"{members}: open one of these."
    )
