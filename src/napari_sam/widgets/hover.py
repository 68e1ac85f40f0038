"""What lies under the cursor: the object that a click would select."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.masks import Candidates, Mask
    from napari_sam.widgets.predictor import Request

LARGEST_SHARE = 0.7
"""A mask that covers more of the window than this is background, and no help to the eye."""


class Hover:
    """The last question about the cursor's place, and the last answer, which may be to another."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self._answered: tuple[Request, Candidates] | None = None

    def ask(self, request: Request) -> bool:
        """Put a new question; tells whether the last answer is to the same one."""
        self.request = request
        return self._answered is not None and self._answered[0].asks_as(request)

    def answer(self, request: Request, candidates: Candidates) -> bool:
        """Take an answer, maybe to an older question; tells whether it is of use."""
        if self.request is None or request.plane != self.request.plane:
            return False
        self._answered = (request, candidates)
        return True

    def answer_to(self, request: Request) -> Candidates | None:
        """Return the last answer, if it is one to a click that asks the same."""
        if self._answered is None:
            return None
        asked, candidates = self._answered
        return candidates if asked.asks_as(request) and not candidates.is_tentative else None

    def end(self) -> bool:
        """Forget all; tells whether there was anything."""
        was_on = self.request is not None
        self.request = self._answered = None
        return was_on

    @property
    def n_candidates(self) -> int:
        """How many masks there are to outline."""
        return 0 if self._answered is None else len(self._answered[1])

    def rank(self, preferred: int | None) -> int | None:
        """Return which of them is outlined, 0 the smallest; None if there is none."""
        return (
            self._answered[1].index_of(preferred) if self._answered and self._answered[1] else None
        )

    def shown(self, rank: int | None) -> tuple[Mask, tuple[int, ...], bool] | None:
        """Return the mask to outline, its plane, and whether its last point is a positive one.

        `rank` is the preferred candidate; None: the best.
        """
        if self._answered is None:
            return None
        request, candidates = self._answered
        if not candidates:
            return None
        mask = candidates[candidates.index_of(rank)]
        if fills_window(mask, candidates, request.predictor.image.shape_yx):
            return None
        signs = request.prompts.labels
        return mask, request.plane, not len(signs) or bool(signs[-1])


def fills_window(mask: Mask, candidates: Candidates, shape_yx: tuple[int, int]) -> bool:
    """Whether a mask is not outlined under the cursor, as it covers most of what is seen."""
    if candidates.window is None:
        return False
    y0, x0, y1, x1 = candidates.window.extent
    height, width = min(y1, shape_yx[0]) - max(y0, 0), min(x1, shape_yx[1]) - max(x0, 0)
    return mask.area > LARGEST_SHARE * height * width
