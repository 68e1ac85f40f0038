"""The pixels of one change as text, to be written again: where, which, and what."""

from __future__ import annotations

import base64
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.edit import Edit, joined

FAST = 1
"""Level of compression: masks are mostly runs, which any level makes small."""


Region: TypeAlias = tuple[int | slice, ...]


@dataclass(frozen=True, eq=False)
class Patch:
    """What edits leave behind, whatever was there before.

    Parameters
    ----------
    regions : tuple of tuple of int and slice
        Where, as indices into the labels.
    changed : (M,) bool array
        Which pixels of these regions, each in reading order.
    values : (N,) array of int
        What these pixels hold.
    before : (N,) array of int, optional
        What they held before, for labels that may be others when it is written again.
    """

    regions: tuple[Region, ...]
    changed: NDArray[np.bool_] = field(repr=False)
    values: NDArray[Any] = field(repr=False)
    before: NDArray[Any] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, edits: Sequence[Edit], *, keeps_before: bool = False) -> Patch:
        """Return what edits, one at least, leave behind."""
        changed = joined([edit.changed.ravel() for edit in edits])
        values = joined([edit.filled()[edit.changed] for edit in edits])
        before = [edit.before[edit.changed] for edit in edits] if keeps_before else None
        held = None if before is None else joined(before)
        return cls(tuple(edit.region for edit in edits), changed, values, held)

    def iter_regions(self) -> Iterator[tuple[Region, NDArray[np.bool_], slice]]:
        """Yield each region, which of its pixels changed, (h, w), and where their values are."""
        n_pixels = n_values = 0
        for region in self.regions:
            shape = _shape(region)
            changed = self.changed[n_pixels : n_pixels + math.prod(shape)].reshape(shape)
            values = slice(n_values, n_values + int(np.count_nonzero(changed)))
            n_pixels, n_values = n_pixels + changed.size, values.stop
            yield region, changed, values

    def write(self, labels: LabelsArray) -> None:
        """Write the pixels, whatever is there."""
        for region, changed, here in self._iter_changed():
            block = np.array(labels[region])
            block[changed] = self.values[here].astype(block.dtype)
            labels[region] = block

    def write_over(self, labels: LabelsArray) -> None:
        """Write those of the pixels that hold what they held before; leave others alone."""
        if self.before is None:
            self.write(labels)
            return
        for region, changed, here in self._iter_changed():
            block = np.array(labels[region])
            held = block[changed]
            block[changed] = np.where(held == self.before[here], self.values[here], held)
            labels[region] = block

    def _iter_changed(self) -> Iterator[tuple[Region, NDArray[np.bool_], slice]]:
        return (each for each in self.iter_regions() if each[2].start < each[2].stop)

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
            "regions": [[_bounds(axis) for axis in region] for region in self.regions],
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
        there_are = entries["regions"] if "regions" in entries else [entries["region"]]
        regions = tuple(map(_region, there_are))
        n_pixels = sum(math.prod(_shape(region)) for region in regions)
        changed = np.unpackbits(_unpack(entries["changed"], "u1"), count=n_pixels).astype(bool)
        there = (entries, entries["before"]) if "before" in entries else (entries,)
        values = [_unpack_runs(runs, entries["dtype"]) for runs in there]
        for held in values:
            if np.count_nonzero(changed) != len(held):
                raise ValueError(f"{np.count_nonzero(changed)} pixels and {len(held)} values")
        return cls(regions, changed, *values)


def _region(bounds: Sequence[Any]) -> Region:
    return tuple(slice(*axis) if isinstance(axis, list) else axis for axis in bounds)


def _shape(region: Region) -> tuple[int, ...]:
    return tuple(axis.stop - axis.start for axis in region if isinstance(axis, slice))


def _bounds(axis: int | slice) -> int | list[int]:
    return [int(axis.start), int(axis.stop)] if isinstance(axis, slice) else int(axis)


def _count(values: NDArray[Any]) -> Counter[int]:
    labels, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(labels.tolist(), counts.tolist(), strict=True)))


def run_lengths(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the values of runs of equal ones, (N,), and how long each is."""
    is_start = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=is_start[1:])
    starts = np.flatnonzero(is_start)
    return values[starts], np.diff(starts, append=len(values))


def _pack_runs(values: NDArray[Any]) -> dict[str, str]:
    held, lengths = run_lengths(values)
    return {"values": _pack(held), "runs": _pack(lengths.astype("<u4"))}


def _unpack_runs(entries: Mapping[str, Any], dtype: str) -> NDArray[Any]:
    values = _unpack(entries["values"], np.dtype(dtype).newbyteorder("<"))
    return values.repeat(_unpack(entries["runs"], "<u4")).astype(dtype)


def _pack(values: NDArray[Any]) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), FAST)).decode("ascii")


def _unpack(text: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)
