"""The pixels of one change as text, to be written again: where, which, and what."""

from __future__ import annotations

import base64
import math
import zlib
from collections import Counter
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
    before : (N,) array of int, optional
        What they held before, for labels that may be others when it is written again.
    """

    region: tuple[int | slice, ...]
    changed: NDArray[np.bool_] = field(repr=False)
    values: NDArray[Any] = field(repr=False)
    before: NDArray[Any] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, edit: Edit, *, keeps_before: bool = False) -> Patch:
        """Return what an edit leaves behind."""
        after = np.asarray(edit.after).astype(edit.before.dtype, copy=False)
        values = np.broadcast_to(after, edit.changed.shape)[edit.changed]
        before = edit.before[edit.changed] if keeps_before else None
        return cls(edit.region, edit.changed, values, before)

    def write(self, labels: LabelsArray) -> None:
        """Write the pixels, whatever is there."""
        if len(self.values):
            block = np.array(labels[self.region])
            block[self.changed] = self.values.astype(block.dtype)
            labels[self.region] = block

    def write_over(self, labels: LabelsArray) -> None:
        """Write those of the pixels that hold what they held before; leave others alone."""
        if self.before is None:
            self.write(labels)
        elif len(self.values):
            block = np.array(labels[self.region])
            held = block[self.changed]
            block[self.changed] = np.where(held == self.before, self.values, held)
            labels[self.region] = block

    def growth(self) -> Counter[int]:
        """Return by how many pixels each label grows, below 0 if it shrinks.

        As if all had been background, if it is not known what the pixels held before.
        """
        grown = _count(self.values)
        if self.before is not None:
            grown.subtract(_count(self.before))
        return grown

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: a few bytes per row of an object."""
        entries = {
            "region": [_bounds(axis) for axis in self.region],
            "changed": _pack(np.packbits(self.changed)),
            "dtype": self.values.dtype.name,
            **_pack_runs(self.values),
        }
        return entries if self.before is None else entries | {"before": _pack_runs(self.before)}

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
        changed = bits.reshape(shape).astype(bool)
        there = (entries, entries["before"]) if "before" in entries else (entries,)
        values = [_unpack_runs(runs, entries["dtype"]) for runs in there]
        for held in values:
            if np.count_nonzero(changed) != len(held):
                raise ValueError(f"{np.count_nonzero(changed)} pixels and {len(held)} values")
        return cls(region, changed, *values)


def _bounds(axis: int | slice) -> int | list[int]:
    return [int(axis.start), int(axis.stop)] if isinstance(axis, slice) else int(axis)


def _count(values: NDArray[Any]) -> Counter[int]:
    labels, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(labels.tolist(), counts.tolist(), strict=True)))


def _pack_runs(values: NDArray[Any]) -> dict[str, str]:
    starts = np.flatnonzero(np.diff(values, prepend=values[:1] + 1))
    lengths = np.diff(starts, append=len(values))
    return {"values": _pack(values[starts]), "runs": _pack(lengths.astype("<u4"))}


def _unpack_runs(entries: Mapping[str, Any], dtype: str) -> NDArray[Any]:
    values = _unpack(entries["values"], np.dtype(dtype).newbyteorder("<"))
    return values.repeat(_unpack(entries["runs"], "<u4")).astype(dtype)


def _pack(values: NDArray[Any]) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), FAST)).decode("ascii")


def _unpack(text: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)
