"""Many masks of one plane, packed, with their scores in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks.mask import Mask

NO_TILE = (-1, -1)
"""Of a mask that was not found in a tile of a grid."""

_COLUMNS = ("boxes", "areas", "predicted_iou", "stability", "points", "tiles")
"""With one row for each mask."""


@dataclass(frozen=True, eq=False)
class MaskTable(Sequence[Mask]):
    """Masks of one plane, one per row, each packed into the bits of its box.

    A mask of 50 by 50 pixels takes 313 bytes, so thousands can be kept, filtered and compared while
    thresholds move. `MaskTable.of` makes one; rows are chosen by `select`.

    Attributes
    ----------
    boxes : (N, 4) int32 array
        (y0, x0, y1, x1) in level-0 pixels, half open and tight.
    areas : (N,) int64 array
        Pixels of each mask.
    predicted_iou, stability : (N,) float32 arrays
        The model's scores, as of `Mask`; NaN where there is none.
    points : (N, 2) float32 array
        (row, column) of the prompt that found each mask; NaN where it was none.
    tiles : (N, 2) int32 array
        (row, column) of the tile in whose window it was found; -1 where it was none.
    bits : (B,) uint8 array
        The masks one after the other, each ``np.packbits`` of its flattened box.
    offsets : (N + 1,) int64 array
        Where in `bits` each mask begins, and the end.
    accepted : (2,) float64 array
        The predicted IoU and the stability that suit what found the masks, see `Thresholds`; 0
        where anything does.
    """

    boxes: NDArray[np.int32]
    areas: NDArray[np.int64]
    predicted_iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    points: NDArray[np.float32]
    tiles: NDArray[np.int32]
    bits: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    accepted: NDArray[np.float64] = field(default_factory=partial(np.zeros, 2))

    @classmethod
    def of(
        cls,
        masks: Iterable[Mask] = (),
        *,
        points: ArrayLike | None = None,
        tile: tuple[int, int] = NO_TILE,
    ) -> MaskTable:
        """Pack masks.

        Parameters
        ----------
        masks : iterable of Mask
            Not empty ones; taken one by one, so a generator keeps memory low.
        points : (N, 2) float array, optional
            The prompt of each.
        tile : (row, column)
            Where all of them were found.

        Raises
        ------
        ValueError
            If a mask is empty, or there are not as many points as masks.
        """
        boxes, areas, scores, packed = [], [], [], []
        for mask in masks:
            if mask.array.size == 0:
                raise ValueError("An empty mask has no place in a table; leave it out.")
            boxes.append(mask.box)
            areas.append(mask.area)
            scores.append((mask.predicted_iou, mask.stability_score))
            packed.append(np.packbits(mask.array))
        n = len(boxes)
        found = np.full((n, 2), np.nan) if points is None else np.asarray(points)
        if found.shape != (n, 2) and n:
            raise ValueError(f"There are {n} masks, and points of shape {found.shape}.")
        iou, stability = np.array(scores, np.float32).reshape(n, 2).T
        return cls(
            np.array(boxes, np.int32).reshape(n, 4),
            np.array(areas, np.int64),
            iou.copy(),
            stability.copy(),
            found.reshape(n, 2).astype(np.float32),
            np.full((n, 2), tile, np.int32),
            np.concatenate(packed) if n else np.zeros(0, np.uint8),
            np.cumsum([0, *map(len, packed)], dtype=np.int64),
        )

    @classmethod
    def concatenate(cls, tables: Iterable[MaskTable]) -> MaskTable:
        """Return the rows of several tables that were found alike, one after the other."""
        tables = [table for table in tables if len(table)]
        if not tables:
            return cls.of()
        starts = np.cumsum([0, *(len(table.bits) for table in tables)])
        parts = [table.offsets[:-1] + start for table, start in zip(tables, starts, strict=False)]
        columns = {
            name: np.concatenate([getattr(table, name) for table in tables])
            for name in (*_COLUMNS, "bits")
        }
        offsets = np.append(np.concatenate(parts), starts[-1])
        return cls(**columns, offsets=offsets, accepted=tables[0].accepted)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> MaskTable:
        """Return the table whose `to_arrays` these are, such as an opened npz file.

        Raises
        ------
        ValueError
            If one is missing, or they do not belong together.
        """
        names = [part.name for part in fields(cls)]
        if missing := [name for name in names if name not in arrays]:
            raise ValueError(
                f"These arrays are no table of masks: {', '.join(missing)} is missing."
            )
        table = cls(**{name: arrays[name] for name in names})
        n = len(table.boxes)
        columns = (table.areas, table.predicted_iou, table.stability, table.points, table.tiles)
        lengths = -(-_sizes(table.boxes) // 8)
        if (
            any(len(column) != n for column in columns)
            or len(table.offsets) != n + 1
            or (np.diff(table.offsets) != lengths).any()
            or table.offsets[-1] != len(table.bits)
        ):
            raise ValueError("These arrays are no table of masks: their lengths do not fit.")
        return table

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all columns by name, to be saved as npz for example."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def __len__(self) -> int:
        return len(self.boxes)

    @overload
    def __getitem__(self, row: int) -> Mask: ...
    @overload
    def __getitem__(self, row: slice) -> MaskTable: ...
    def __getitem__(self, row: int | slice) -> Mask | MaskTable:
        if isinstance(row, slice):
            return self.select(np.arange(len(self))[row])
        i = range(len(self))[row]
        y0, x0, y1, x1 = self.boxes[i].tolist()
        return Mask(
            (y0, x0, y1, x1),
            self.array(i),
            float(self.predicted_iou[i]),
            float(self.stability[i]),
        )

    def array(self, row: int) -> NDArray[np.bool_]:
        """Return the mask of a row as a boolean array of the shape of its box."""
        y0, x0, y1, x1 = self.boxes[row].tolist()
        bits = self.bits[self.offsets[row] : self.offsets[row + 1]]
        shape = (y1 - y0, x1 - x0)
        return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)

    def select(self, rows: ArrayLike) -> MaskTable:
        """Return some rows, in the order given.

        Parameters
        ----------
        rows : (K,) int array or (N,) bool array
            Which ones.
        """
        chosen = np.asarray(rows)
        kept = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        starts, ends = self.offsets[:-1][kept], self.offsets[1:][kept]
        parts = [self.bits[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        columns = {name: getattr(self, name)[kept] for name in _COLUMNS}
        return replace(
            self,
            **columns,
            bits=np.concatenate([self.bits[:0], *parts]),
            offsets=np.append(0, np.cumsum(ends - starts)),
        )

    def shifted(self, dy: int, dx: int) -> MaskTable:
        """Return the same masks, moved by whole pixels."""
        return replace(
            self,
            boxes=self.boxes + np.array([dy, dx, dy, dx], np.int32),
            points=self.points + np.array([dy, dx], np.float32),
        )

    @property
    def nbytes(self) -> int:
        """Memory of all columns."""
        return sum(column.nbytes for column in self.to_arrays().values())


def _sizes(boxes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the pixels in each box."""
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64)
    return sides[:, 0] * sides[:, 1]
