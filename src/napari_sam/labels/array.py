"""What a labels array must be: integers, in memory or in zarr, that can be written in place."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import zarr

from napari_sam.image.plane import parse_plane


class LabelsArray(Protocol):
    """What numpy and zarr arrays have in common: read and written region by region."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; the last two are rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""

    def __getitem__(self, region: Any, /) -> Any: ...
    def __setitem__(self, region: Any, values: Any, /) -> None: ...


def check_labels(labels: object) -> None:
    """Refuse what is not an integer array of at least two axes.

    Raises
    ------
    TypeError
        If it is a dask array, a list of levels, or holds something else than integers.
    ValueError
        If it has fewer than two axes.
    """
    if type(labels).__module__.partition(".")[0] == "dask":
        raise TypeError(
            "The labels are a dask array, which cannot be written in place; use a numpy array or "
            "the zarr array behind it."
        )
    if not hasattr(labels, "dtype") or not hasattr(labels, "shape"):
        raise TypeError(
            f"The labels are a {type(labels).__name__}; expected a numpy or zarr array. Of a "
            "pyramid, pass the array of level 0."
        )
    if np.dtype(labels.dtype).kind not in "iu":
        raise TypeError(
            f"The labels have dtype {labels.dtype}; expected integers such as uint16, since each "
            "object is a number."
        )
    if len(labels.shape) < 2:
        raise ValueError(f"The labels have shape {labels.shape}; expected at least rows, columns.")


def check_writable(labels: LabelsArray) -> None:
    """Refuse an array that was opened for reading only."""
    if isinstance(labels, np.ndarray):
        read_only = not labels.flags.writeable
    else:
        read_only = isinstance(labels, zarr.Array) and labels.read_only
    if read_only:
        raise ValueError(
            f"The labels, a {type(labels).__name__} of shape {labels.shape}, are read-only; open "
            "them for writing (mode 'r+') or copy them."
        )


def parse_writable(labels: LabelsArray, plane: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of the axes in front of rows and columns, of labels that can be written.

    Raises
    ------
    TypeError, ValueError
        If they cannot be written, or there is no such plane.
    """
    check_labels(labels)
    check_writable(labels)
    return parse_plane(plane, tuple(labels.shape[:-2]), f"labels of shape {labels.shape}")
