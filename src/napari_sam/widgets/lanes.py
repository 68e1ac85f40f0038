"""The threads of the Segment dock: for clicks, for hovering, for opening models, for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam.widgets.chore import Chore
from napari_sam.widgets.lane import Lane, Work
from napari_sam.widgets.links import Links
from napari_sam.widgets.predictor import Predictor, Request

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession

IN_STEP_S = 0.025
"""So long the window may wait for an answer to the mouse, to draw both at once."""


class Lanes(QObject):
    """Does what a session asks for; the session takes the answers.

    Parameters
    ----------
    session : SegmentSession
        Whose work it is.
    """

    progressed = Signal(str)
    failed = Signal(object, object)
    warned = Signal(object, str)
    idle = Signal()

    def __init__(self, session: SegmentSession) -> None:
        super().__init__()
        self._session = session
        self._docks: set[object] = set()
        self._links = Links()
        self._for_drafts, self._for_hover, self._for_models = Lane(), Lane(), Lane()
        self._for_chores = Lane(keeps_all=True)
        self._all = (self._for_drafts, self._for_hover, self._for_models, self._for_chores)
        for lane in self._all:
            lane.answered.connect(session.accept)
            lane.failed.connect(session.fail)
            lane.failed.connect(self.failed)
            lane.warned.connect(self.warned)
            lane.progressed.connect(self.progressed)
            lane.idle.connect(self._on_idle)

    def join(self, dock: object) -> None:
        """Work for one more dock, or whatever stands for it."""
        if not self._docks:
            self._links.add(self._session.asked, self.do)
            self._links.add(self._session.given_up, self._give_up_draft)
            self._links.add(self._session.layers_changed, self._give_up_others)
        self._docks.add(dock)

    def leave(self, dock: object) -> None:
        """Work for one dock less; without any, all work is dropped that can be called off."""
        self._docks.discard(dock)
        if self._docks:
            return
        self._links.cut()
        dropped: list[Work] = []
        for lane in self._all:
            dropped += _call_off(lane)
        for work in dropped:
            self._session.drop(work)

    # What there is to do

    @property
    def busy(self) -> Lane | None:
        """The lane that the user waits for most, of those that do something."""
        order = self._for_drafts, self._for_chores, self._for_models, self._for_hover
        return next((lane for lane in order if lane.current is not None), None)

    def do(self, work: Work) -> None:
        """Have something done, in the lane for its like."""
        if predictor_of(work) is None:
            self._for_chores.submit(work)
            return
        if not isinstance(work, Request):
            self._for_models.submit(work)
            return
        lane = self._for_hover if work.is_hover else self._for_drafts
        if isinstance(lane.current, Request) and lane.current.plane != work.plane:
            lane.abandon()
        lane.submit(work)
        lane.give_way(IN_STEP_S)

    def cancel(self, work: object) -> None:
        """Stop something, if it is still going on, and can be stopped."""
        if work is None:
            return
        if work is self._for_drafts.current:
            self._session.cancel()
        elif work is self._for_chores.current:
            self._call_off_chore()
        elif work is self._for_hover.current:
            self._for_hover.abandon()
        self._on_idle()

    def stop_part(self) -> bool:
        """Stop what keeps what it has done until then; return whether any such was going on."""
        work = self._for_chores.current
        if not (isinstance(work, Chore) and work.keeps_part):
            return False
        self.cancel(work)
        return True

    def stop(self) -> None:
        """Forget all work, for good."""
        for lane in self._all:
            lane.stop()

    def _call_off_chore(self) -> None:
        """Do not do the chore going on, if it is not too late, but those that wait."""
        lane = self._for_chores
        if isinstance(lane.current, Chore) and lane.current.call_off():
            first, *others = lane.works
            lane.abandon()
            self._session.drop(first)
            for work in others:
                lane.submit(work)

    def _give_up_draft(self) -> None:
        self._for_drafts.abandon()
        self._on_idle()

    def _give_up_others(self) -> None:
        """Who has chosen another image or model, or none, waits for nothing else."""
        for lane in self._all:
            old = predictor_of(lane.current)
            if old is not None and old is not self._session.predictor:
                lane.abandon()
        self._on_idle()

    def _on_idle(self) -> None:
        if not any(lane.current for lane in self._all):
            self.idle.emit()


def _call_off(lane: Lane) -> list[Work]:
    """Have a lane do nothing more that can be called off; return what is not done."""
    if isinstance(lane.current, Chore) and not lane.current.call_off():
        return lane.drop_waiting()
    works = lane.works
    lane.abandon()
    return works


def predictor_of(work: Work | None) -> Predictor | None:
    """Return the predictor that some work is for, if it is for one."""
    predictor = work.predictor if isinstance(work, Request) else work
    return predictor if isinstance(predictor, Predictor) else None
