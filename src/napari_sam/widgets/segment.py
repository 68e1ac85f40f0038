"""The dock: choose an image and a model, point at objects, keep them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_sam.widgets.advanced import Advanced
from napari_sam.widgets.ahead import Ahead, ahead
from napari_sam.widgets.banner import Banner, Notice
from napari_sam.widgets.candidates_bar import CandidatesBar
from napari_sam.widgets.docks import iter_imports
from napari_sam.widgets.doing import Watch
from napari_sam.widgets.files_row import FilesRow
from napari_sam.widgets.how_row import HowRow
from napari_sam.widgets.in_turns import InTurns
from napari_sam.widgets.installed import installed
from napari_sam.widgets.keep_rows import KeepRows
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.lane import Work
from napari_sam.widgets.lanes import Lanes, predictor_of
from napari_sam.widgets.layers_form import LayersForm
from napari_sam.widgets.links import Links
from napari_sam.widgets.mouse import Mouse
from napari_sam.widgets.notices import damage_notice, labels_notice, notice_for
from napari_sam.widgets.outline_overlay import lay_over_canvas
from napari_sam.widgets.scrolled import Column
from napari_sam.widgets.session import scene
from napari_sam.widgets.source import PLACE_EVENTS
from napari_sam.widgets.state_lines import StateLines
from napari_sam.widgets.tabs import Tab
from napari_sam.widgets.tool_row import ToolRow
from napari_sam.widgets.two_pages import TwoPages

if TYPE_CHECKING:
    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

ADVANCED = {
    "title": "▸ Advanced",
    "back": "◂ Back to the tools",
    "tip": "How the model looks, and how the image is encoded.",
}


class SegmentWidget(Tab):
    """Segment objects by pointing at them.

    Only a view: what it shows and changes is the session of the viewer, and everything that takes
    long happens in its lanes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._scene = scene(viewer)
        self._session = self._scene.session
        self._mouse = self._scene.mouse = self._scene.mouse or Mouse(self._scene)
        self._lanes = self._scene.lanes = self._scene.lanes or Lanes(self._session)
        self._links, self._moves = Links(), Links()
        self._ahead = ahead(viewer)
        self._trouble: Notice | None = None
        self._in_turns = InTurns(self)
        with self._session.telling():
            self._session.adopt_image()
        self._image = self._session.image
        self._build()
        self._link()
        self._lanes.join(self._links)
        self._ahead.join(self._links)
        self.at_end(self._moves.cut)
        self.at_end(partial(_close, self._links, self._mouse, self._lanes, self._ahead))
        self.at_end(self._advanced.place.lane.stop)
        self._session.prepare()
        self._session.take_over()
        self._on_choice()

    def _build(self) -> None:
        hand, links = self._scene.hand, self._links
        self._banner = Banner()
        self._form = LayersForm(self._scene, links)
        self._candidates = CandidatesBar()
        self._state = StateLines(self._scene, Watch(self._lanes, self._ahead), links)
        self._files = FilesRow(self._session, links)
        self._advanced = Advanced(self._session, self._ahead, links)
        at_hand = QWidget()
        column = Column(at_hand)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(ToolRow(hand, links))
        column.addWidget(HowRow(self._session, links))
        column.addWidget(self._candidates)
        column.addWidget(KeepRows(hand, links))
        column.addWidget(self._files)
        column.addStretch(1)
        content = QWidget()
        column = Column(content)
        column.addWidget(self._banner)
        column.addWidget(self._form)
        column.addWidget(TwoPages(at_hand, self._advanced, **ADVANCED))
        column.addWidget(self._state)
        column.addStretch(1)
        self.hold(content)

    # Who tells whom

    def _link(self) -> None:
        session, link = self._session, self._links.add
        link(session.draft_changed, self._show_draft)
        link(session.layers_changed, self._on_choice)
        for event in ("ndisplay", "order"):
            link(getattr(session.viewer.dims.events, event), self._show_notice)
        for event in ("inserted", "removed", "reordered"):
            link(getattr(session.viewer.layers.events, event), self._show_notice)
        link(session.viewer.layers.events.inserted, self._on_inserted)
        link(key_choices.changed, self._show_draft)
        link(installed.changed, self._on_installed)
        link(self._ahead.changed, self._state.show_notes)
        self._lanes.idle.connect(self._advanced.refresh)  # image and model may have been opened
        self._lanes.warned.connect(self._on_warned)
        self._lanes.failed.connect(self._on_failed)
        self._form.image_chosen.connect(self._choose_image)
        self._form.labels_chosen.connect(self._choose_labels)
        self._form.labels_wanted.connect(self._files.ask_open)
        self._candidates.chosen.connect(self._choose_candidate)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begin to listen to the mouse."""
        super().showEvent(event)
        self._mouse.connect(self._links)
        lay_over_canvas(self, self._scene.hover)
        self._scene.points.fit_screen(self.devicePixelRatioF())
        self._in_turns.start(self._iter_ahead())

    def _iter_ahead(self) -> Iterator[object]:
        """Do what the first click would else wait for, once the dock has been drawn."""
        yield None
        if self._session.is_in_use:
            if self._mouse.is_free:
                self._scene.hand.wake_keys()
            yield None
            yield from self._scene.iter_ahead()
            self._session.prepare()
        yield from iter_imports()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the mouse alone while the dock is hidden; under another one it is not, to Qt."""
        super().hideEvent(event)
        self._mouse.disconnect(self._links)

    def _on_installed(self) -> None:
        self._trouble = None
        self._show_notice()
        self._session.prepare()  # the model chosen may have become one that can be opened

    def _on_choice(self) -> None:
        self._trouble = None
        self._show_draft()
        self._show_notice()
        self._moves.cut()
        for layer in filter(None, (self._session.image, self._session.labels)):
            self._moves.add(layer.events.visible, self._state.show_status)
            for name in PLACE_EVENTS:
                self._moves.add(getattr(layer.events, name), self._show_notice)
        if self._session.image is not self._image:
            self._image = self._session.image
            if self.isVisible():
                self._in_turns.start(self._iter_ahead())

    def _on_inserted(self, event: Any) -> None:
        """Take the image that is opened while there is none: the keys on the buttons are to work.

        Later, as several may be opened together.
        """
        if self._session.image is None and self.isVisible():
            self._in_turns.start(self._iter_adopting())

    def _iter_adopting(self) -> Iterator[object]:
        yield None
        if self._session.is_in_use:
            with self._session.telling():
                self._session.adopt_image()

    def _on_warned(self, work: Work, text: str) -> None:
        if (predictor := predictor_of(work)) is not None:
            predictor.warn(text)
            self._state.show_notes()

    def _on_failed(self, work: Work, error: Exception) -> None:
        predictor = predictor_of(work)
        if predictor is not None and predictor is self._session.predictor:
            self._trouble = damage_notice(self._session, error)
            self._show_notice()

    # What the user chose

    def _choose_image(self, layer: ImageLayer | None) -> None:
        with self._session.telling():
            self._session.image = layer
        self._in_turns.start(self._iter_ahead())

    def _choose_labels(self, layer: Labels | None) -> None:
        try:
            self._session.labels = layer
        except ValueError as error:
            self._trouble = labels_notice(self._session, error)
            self._show_notice()

    def _choose_candidate(self, rank: int) -> None:
        """Choose a candidate; that which is preferred already: let the model choose again."""
        session = self._session
        if rank == session.preferred_rank == session.draft.rank:
            session.preferred_rank = None
        else:
            session.choose(rank)

    # What there is

    def _show_draft(self) -> None:
        draft = self._session.draft
        self._candidates.show_candidates(draft.candidates, draft.rank, self._session.preferred_rank)

    def _show_notice(self, event: Any = None) -> None:
        self._banner.show_notice(self._trouble or notice_for(self._session))


def _close(links: Links, mouse: Mouse, lanes: Lanes, ahead: Ahead, gone: object = None) -> None:
    """Cut all that reaches from the viewer and the session into a dock that is gone."""
    links.cut()
    mouse.disconnect(links)
    lanes.leave(links)
    ahead.leave(links)
