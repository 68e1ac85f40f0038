"""Many objects, kept at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_sam.masks.runs import iter_rows
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.following import Following
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.recipe import Code, literal
from napari_sam.widgets.transcript import COMMIT, FIND

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.masks.mask_table import MaskTable
    from napari_sam.widgets.written import Written

ARE_THERE = "Nothing to write: other objects are there already, and they are kept."
HAVE_LEFT = "Nothing was kept: the labels have been left meanwhile."


class CommittingAll(Following):
    """The part of a session that keeps many objects as one step; `SegmentSession` keeps one."""

    @in_order
    def commit_all(
        self,
        table: MaskTable,
        *,
        plane: Plane = None,
        first_label: int | None = None,
        source: str = "",
        wait: bool = True,
    ) -> int:
        """Write many objects as one step, each with an id of its own; return how many.

        Objects that are there already stay whole, and what lies on them is left out. The object
        being made stays as it is. Other commands wait meanwhile.

        Parameters
        ----------
        table : MaskTable
            In pixels of the image, such as `find` returns.
        plane : tuple of int, optional
            Default: the plane shown.
        first_label : int, optional
            The id of the first; see `commit`.
        source : str
            Python that makes the same table with the labels as they are, for `script`. Default:
            the masks themselves.
        wait : bool
            Whether to return only when they are written; else 0 is returned.
        """
        plane, layer = self._plane(plane), self._source.layer
        if not len(table) or layer is None:
            self._say("There are no objects to keep.")
            return 0
        how: Any = {"first_label": first_label, "source": source, "wait": wait}
        if self._is_put_off(partial(self.commit_all, table, plane=plane, **how), wait):
            return 0
        predictor = self._predictor
        labels = self._target.ensure_layer(self.viewer, layer, predictor.image)
        model = predictor.model_name
        plan = partial(self._target.plan_all, labels, table, plane, model, first_label)
        many = Many(labels, labels.data, table, plan, source)
        n_written: list[int] = []
        take = partial(self._take_planned, many, plane, n_written)
        self._rearrange(many.iter_answer, take, wait, partial(self._end_planning, many, take))
        return sum(n_written)

    def _take_planned(
        self,
        many: Many,
        plane: tuple[int, ...],
        n_written: list[int],
        answer: tuple[Written, str],
    ) -> None:
        layer = self._target.layer
        if layer is None or layer is not many.layer or layer.data is not many.data:
            self._say(HAVE_LEFT)
            return
        planned, made = answer
        if not self._target.has_free(planned):  # somebody has painted with their ids
            planned = many.plan()
        written = self._target.apply(planned)
        if not written.n_changed:
            self._say(ARE_THERE)
            return
        how: Any = {"plane": plane or None, "first_label": written.label - written.n_objects + 1}
        about = FIND if many.source else COMMIT
        self._finish(written, self._draft, self._call("commit_all", Code(made), about=about, **how))
        n_written.append(written.n_objects)

    def _end_planning(self, many: Many, take: Callable[[Any], None]) -> None:
        """Keep what nobody plans any more, as the dock is closed; or nothing, if it was stopped."""
        if not self.is_deserted:
            self._say("Stopped: nothing was kept.")
            return
        with self.telling():
            *_, answer = many.iter_answer()
            take(answer)


@dataclass(frozen=True, eq=False)
class Many:
    """The work of finding out what many objects change.

    Parameters
    ----------
    layer, data : Labels, array
        Where they are to go, and what it shows.
    table : MaskTable
        The objects.
    plan : callable
        Returns what is to be written.
    source : str
        Python that makes the table, if there is some.
    """

    layer: Labels
    data: Any
    table: MaskTable
    plan: Callable[[], Written]
    source: str

    def iter_answer(self) -> Iterator[str | tuple[Written, str]]:
        """Yield what is being done, and at last the plan, and Python that makes the table."""
        n = len(self.table)
        yield f"Keeping {n:,} object{'s' * (n > 1)} …"
        made = self.source or f"masks_from_rows({literal([*iter_rows(self.table)])})"
        yield self.plan(), made
