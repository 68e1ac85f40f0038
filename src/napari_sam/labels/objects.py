"""What is known of the objects in labels: how each was made, and whether somebody looked at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_sam.prompts import Prompts
from napari_sam.prompts.strokes import thin_outline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sam.masks import Mask

Key = tuple[int, tuple[int, ...]]
"""A label and a plane: an object of several planes has a record on each."""

Outline = tuple[tuple[float, float], ...]

NO_PROMPTS = Prompts()


@dataclass(frozen=True)
class ObjectRecord:
    """One object on one plane.

    Parameters
    ----------
    label : int
        Its number in the labels.
    plane : tuple of int
        Index of the axes in front of rows and columns.
    box : tuple of int
        (y0, x0, y1, x1) in level-0 pixels, half open.
    area : int
        Number of pixels.
    prompts : Prompts
        What made it; empty, if no prompts did, as for objects found automatically. Without the mask
        prompt.
    rank : int
        Which candidate was chosen; 0 is the smallest.
    model : str
        Name of the model; "" if none was used.
    predicted_iou, stability_score : float
        As the model gave them; NaN if unknown.
    is_reviewed : bool
        Whether somebody has accepted it.
    outline : tuple of (float, float)
        Vertices (row, column) of what has been drawn around it, a few dozen at most; empty, if
        nothing has been.
    """

    label: int
    plane: tuple[int, ...]
    box: tuple[int, int, int, int]
    area: int
    prompts: Prompts = field(default_factory=Prompts)
    rank: int = 0
    model: str = ""
    predicted_iou: float = float("nan")
    stability_score: float = float("nan")
    is_reviewed: bool = False
    outline: Outline = ()

    @classmethod
    def of(
        cls,
        mask: Mask,
        label: int,
        plane: tuple[int, ...],
        *,
        prompts: Prompts | None = None,
        rank: int = 0,
        model: str = "",
        outline: NDArray[np.float64] | None = None,
    ) -> ObjectRecord:
        """Make the record of a mask that has been written into labels."""
        return cls(
            label,
            plane,
            mask.box,
            mask.area,
            NO_PROMPTS if prompts is None else prompts.with_mask(None),
            rank,
            model,
            mask.predicted_iou,
            mask.stability_score,
            outline=() if outline is None else to_outline(thin_outline(outline).round(2).tolist()),
        )

    @property
    def key(self) -> Key:
        """Label and plane."""
        return self.label, self.plane

    def reviewed(self, is_reviewed: bool = True) -> ObjectRecord:
        """Return the record as somebody has accepted it, or not."""
        return replace(self, is_reviewed=is_reviewed)


def to_outline(vertices: Iterable[Sequence[float]]) -> Outline:
    """Return vertices (row, column) as a record holds them."""
    return tuple((float(y), float(x)) for y, x in vertices)


class ObjectTable:
    """The records of the objects in one labels array, in the order in which they were made."""

    def __init__(self, records: Iterable[ObjectRecord] = ()) -> None:
        self._records = {record.key: record for record in records}

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def __iter__(self) -> Iterator[ObjectRecord]:
        return iter(self._records.values())

    @property
    def labels(self) -> set[int]:
        """The numbers of the objects."""
        return {label for label, _ in self._records}

    def get(self, label: int, plane: tuple[int, ...]) -> ObjectRecord | None:
        """Return the record of an object on a plane, if there is one."""
        return self._records.get((label, plane))

    def change(
        self, *, drop: Iterable[ObjectRecord] = (), put: Iterable[ObjectRecord] = ()
    ) -> None:
        """Forget some records, then take others; one with the same label and plane is replaced."""
        for record in drop:
            self._records.pop(record.key, None)
        for record in put:
            self._records[record.key] = record
