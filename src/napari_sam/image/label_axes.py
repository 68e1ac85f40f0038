"""The axes of labels, which stand in the order of OME-Zarr whatever that of their image is."""

from __future__ import annotations

from napari_sam.image.image import Image


def label_axes(image: Image) -> str:
    """Return the axes of labels of an image: t, c, z as far as it has them, then y and x.

    What goes through channels is c, whatever the image calls it.
    """
    letters = _plane_letters(image)
    return "".join(letters[i] for i in label_order(image)) + "yx"


def label_order(image: Image) -> tuple[int, ...]:
    """Return the places of the indices of labels among those of a plane."""
    letters = _plane_letters(image)
    return tuple(sorted(range(len(letters)), key=lambda i: "tcz".find(letters[i])))


def _plane_letters(image: Image) -> str:
    axes = "".join(axis for axis in image.axes if axis not in "cyx")
    return axes.replace(image.channel_axis, "c") if image.channel_axis else axes
