"""What one prompt may mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np

from napari_sam.masks.mask import Mask

if TYPE_CHECKING:
    from napari_sam.image.window import Window


@dataclass(frozen=True)
class Candidates(Sequence[Mask]):
    """The masks that one prompt may mean, from the smallest to the largest. May be empty.

    Parameters
    ----------
    masks : iterable of Mask
        In any order; kept sorted by area.
    window : Window, optional
        Where the model looked.
    note : str
        A sentence for the status line, "" if there is nothing to say.
    is_tentative : bool
        Whether another window might show the object better: it is cut by this one, or seen at a
        scale that does not suit it.
    left_out : tuple of float, optional
        Steps of windows that would have been looked through, had they been encoded; None: what is
        encoded made no difference.
    """

    masks: tuple[Mask, ...]
    window: Window | None = None
    note: str = ""
    is_tentative: bool = False
    left_out: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        masks: Iterable[Mask] = self.masks
        object.__setattr__(self, "masks", tuple(sorted(masks, key=lambda mask: mask.area)))

    @property
    def best_index(self) -> int:
        """Index of the mask with the highest predicted IoU."""
        if not self.masks:
            raise ValueError(self.note or "There are no candidates, so there is no best one.")
        return int(np.argmax([mask.predicted_iou for mask in self.masks]))

    @property
    def best(self) -> Mask:
        """The mask with the highest predicted IoU."""
        return self.masks[self.best_index]

    def index_of(self, rank: int | None) -> int:
        """Return which mask a preferred rank means, 0 the smallest; None: the best one's.

        Where there is only one to choose from, that one.
        """
        return self.best_index if rank is None else max(0, min(rank, len(self) - 1))

    @overload
    def __getitem__(self, index: int) -> Mask: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Mask, ...]: ...
    def __getitem__(self, index: int | slice) -> Mask | tuple[Mask, ...]:
        return self.masks[index]

    def __len__(self) -> int:
        return len(self.masks)
