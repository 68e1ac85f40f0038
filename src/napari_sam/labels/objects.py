"""What is known of the objects in labels: how each was made, and whether somebody looked at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_sam.prompts import Prompts

if TYPE_CHECKING:
    from napari_sam.masks import Mask

Key = tuple[int, tuple[int, ...]]
"""A label and a plane: an object of several planes has a record on each."""

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
        )

    @property
    def key(self) -> Key:
        """Label and plane."""
        return self.label, self.plane

    def reviewed(self, is_reviewed: bool = True) -> ObjectRecord:
        """Return the record as somebody has accepted it, or not."""
        return replace(self, is_reviewed=is_reviewed)


class ObjectTable:
    """The records of the objects in one labels array, in the order in which they were made."""

    def __init__(self, records: Iterable[ObjectRecord] = ()) -> None:
        self._records = {record.key: record for record in records}

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def __iter__(self) -> Iterator[ObjectRecord]:
        return iter(self._records.values())

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
