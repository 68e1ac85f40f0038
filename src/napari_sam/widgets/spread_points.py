"""Points that take up the room of the image they lie on."""

from __future__ import annotations

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray


class SpreadPoints(Points):
    """A Points layer as large as an image, wherever its points are.

    What napari makes in the place of the selected layer, such as new labels, is as large as that,
    and a few points in a stack reach far along its sliders, or none at all. It names no keys of
    napari's tools for points in the status bar either, as these are no plain points to it.
    """

    _type_string = "points"
    _image_shape: tuple[int, ...] = ()

    def spread_over(self, image_shape: tuple[int, ...]) -> None:
        """Take the room of an image of this shape, without colors."""
        if image_shape != self._image_shape:
            self._image_shape = image_shape
            self._clear_extent()

    @property
    def editable(self) -> bool:
        """Never: napari's tools would add and move points that are no prompts."""
        return False

    @editable.setter
    def editable(self, editable: bool) -> None:
        """Stay as it is: napari allows it again with new data, and after each view in 3-D."""

    def _get_value(self, position: object) -> None:
        """There is nothing to tell of a point under the cursor.

        napari looks for it in a thread of its own, where the points may be others than those that
        it has sliced.
        """

    @property
    def _extent_data(self) -> NDArray[np.float64]:
        """The first and the last pixel of the image."""
        last = np.subtract(self._image_shape or (1,) * self.ndim, 1.0)
        return np.vstack([np.zeros_like(last), last])

    @property
    def _extent_data_augmented(self) -> NDArray[np.float64]:
        """The edges of the image; points at its border reach beyond them a little."""
        return np.add(self._extent_data, [[-0.5], [0.5]])
