"""The pixels of one change as text, to be written again: where, which, and what."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.edit import Edit

FAST = 1
"""Level of compression: masks are mostly runs, which any level makes small."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What an edit leaves behind, whatever was there before.

    Parameters
    ----------
    region : tuple of int and slice
        Where, as an index into the labels.
    changed : bool array
        Which pixels of the region.
    values : (N,) array of int
        What these pixels hold, in reading order.
    """

    region: tuple[int | slice, ...]
    changed: NDArray[np.bool_] = field(repr=False)
    values: NDArray[Any] = field(repr=False)

    @classmethod
    def of(cls, edit: Edit) -> Patch:
        """Return what an edit leaves behind."""
        after = np.asarray(edit.after).astype(edit.before.dtype, copy=False)
        values = np.broadcast_to(after, edit.changed.shape)[edit.changed]
        return cls(edit.region, edit.changed, values)

    def write(self, labels: LabelsArray) -> None:
        """Write the pixels, whatever is there."""
        if len(self.values):
            block = np.array(labels[self.region])
            block[self.changed] = self.values.astype(block.dtype)
            labels[self.region] = block

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: a few bytes per row of an object."""
        starts = np.flatnonzero(np.diff(self.values, prepend=self.values[:1] + 1))
        lengths = np.diff(starts, append=len(self.values))
        return {
            "region": [_bounds(axis) for axis in self.region],
            "changed": _pack(np.packbits(self.changed)),
            "dtype": self.values.dtype.name,
            "values": _pack(self.values[starts]),
            "runs": _pack(lengths.astype("<u4")),
        }

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Patch:
        """Return the patch that `to_json` was called on.

        Raises
        ------
        LookupError, TypeError, ValueError, zlib.error
            If it is not that of a patch.
        """
        region = tuple(
            slice(*axis) if isinstance(axis, list) else axis for axis in entries["region"]
        )
        shape = [axis.stop - axis.start for axis in region if isinstance(axis, slice)]
        bits = np.unpackbits(_unpack(entries["changed"], "u1"), count=math.prod(shape))
        values = _unpack(entries["values"], np.dtype(entries["dtype"]).newbyteorder("<"))
        values = values.repeat(_unpack(entries["runs"], "<u4"))
        changed = bits.reshape(shape).astype(bool)
        if np.count_nonzero(changed) != len(values):
            raise ValueError(f"{np.count_nonzero(changed)} pixels changed to {len(values)} values")
        return cls(region, changed, values.astype(entries["dtype"]))


def _bounds(axis: int | slice) -> int | list[int]:
    return [int(axis.start), int(axis.stop)] if isinstance(axis, slice) else int(axis)


def _pack(values: NDArray[Any]) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), FAST)).decode("ascii")


def _unpack(text: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)
