"""The dock of objects: what is in the labels, the most suspicious first, to be reviewed."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QGuiApplication, QKeyEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from napari_sam.labels.object_list import ObjectList
from napari_sam.widgets.action_button import titled
from napari_sam.widgets.count_objects import CountObjects, too_many
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.keys import (
    ABOVE,
    ACCEPT,
    BELOW,
    DELETE_LISTED,
    DELETE_LISTED_HERE,
    LIST_ACTIONS,
    NEXT,
    PREVIOUS,
    REOPEN,
    TOGGLE,
    Action,
)
from napari_sam.widgets.labels_choice import LabelsChoice
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.links import Links
from napari_sam.widgets.object_keys import action_of
from napari_sam.widgets.object_table import ObjectsModel, ObjectTable
from napari_sam.widgets.object_text import made_text, progress_text
from napari_sam.widgets.review import NO_OBJECTS
from napari_sam.widgets.rows import side_by_side
from napari_sam.widgets.scrolled import Column
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.tabs import Tab
from napari_sam.widgets.write_objects import Copied, WriteObjects

if TYPE_CHECKING:
    import napari

    from napari_sam.widgets.review import Review

SHOW_MS = 40
"""How soon a change is seen; all that happen meanwhile are seen at once."""

LOOK_MS = 250
LEAST_PAUSE = 20.0
"""Times that a count took, before what has been painted by hand is counted."""

OF_ONE = ACCEPT, REOPEN, DELETE_LISTED, DELETE_LISTED_HERE
"""What needs an object to be chosen."""

HIDE_TIP = "Hide the objects that have been accepted."
COPY_TIP = "Copy the list, for a spreadsheet."
SAVE_TIP = "Save the list as comma-separated values."
NO_LABELS = "Choose labels above to see their objects, or keep one with the dock Segment."
CHOOSE = "Choose an object: click its line, or press {key} for the next to review."


class ObjectsWidget(Tab):
    """Shows the objects of the labels, and leads through them.

    Only a view: what it shows and changes is the `Review` of the viewer, and what takes long
    happens in its lanes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._scene = scene(viewer)
        self._session, self._review = self._scene.session, self._scene.review
        self._lanes = self._for_counting, self._for_writing = Lane(), Lane()
        self._links = Links()
        self._next_count = self._count_began = 0.0
        self._showing, self._looking = QTimer(self), QTimer(self)
        self._showing.setSingleShot(True)
        self._showing.setInterval(SHOW_MS)
        self._looking.start(LOOK_MS)
        self._build()
        self._link()
        self.at_end(partial(_close, self._links, self._lanes, self._review))
        with self._session.telling():
            self._session.adopt_image()
        self._show()

    # The parts

    def _build(self) -> None:
        self._labels = LabelsChoice(self._scene, self._links)
        self._progress = QLabel()
        self._hides = QCheckBox("To review only")
        self._hides.setToolTip(HIDE_TIP)
        self._hides.setChecked(self._review.hides_reviewed)
        self._table = ObjectTable(ObjectsModel(self._review))
        self._empty = QLabel()
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(24, 0, 24, 0)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._table)
        self._pages.addWidget(self._empty)
        self._about, self._status = Sentences(2), Sentences(1)
        self._buttons = {action: _button() for action in (*OF_ONE, NEXT, PREVIOUS)}
        self._copy, self._save = _button("Copy", COPY_TIP), _button("Save …", SAVE_TIP)

        content = QWidget()
        column = Column(content)
        form = QFormLayout()
        form.addRow("Labels", self._labels)
        column.addLayout(form)
        column.addLayout(side_by_side(self._progress, self._hides))
        column.addWidget(self._pages, 1)
        column.addWidget(self._about)
        for row in ((ACCEPT, REOPEN), (NEXT, PREVIOUS), (DELETE_LISTED, DELETE_LISTED_HERE)):
            column.addLayout(side_by_side(*(self._buttons[action] for action in row)))
        column.addLayout(side_by_side(self._copy, self._save))
        column.addWidget(self._status)
        self.hold(content)

    # Who tells whom

    def _link(self) -> None:
        review, layers = self._review, self._session.viewer.layers
        self._links.add(review.changed, self._on_changed)
        self._links.add(review.moved, self._on_moved)
        self._links.add(key_choices.changed, self._on_changed)
        self._links.add(layers.events.inserted, self._on_changed)
        self._links.add(layers.events.removed, self._on_changed)
        self._showing.timeout.connect(self._show)
        self._looking.timeout.connect(self._look)
        self._for_counting.answered.connect(self._on_counted)
        for lane in self._lanes:
            lane.progressed.connect(self._say)
            lane.failed.connect(self._on_failed)
        self._for_writing.answered.connect(self._on_written)
        self._labels.failed.connect(self._say)
        self._hides.toggled.connect(self._hide)
        self._table.chosen.connect(self._go_to)
        self._table.opened.connect(partial(self._press, REOPEN))
        self._table.pressed_key.connect(self._on_key)
        for action, button in self._buttons.items():
            button.clicked.connect(partial(self._press, action))
        self._copy.clicked.connect(self._start_copy)
        self._save.clicked.connect(self._ask_path)

    # What the user asks for

    def _on_key(self, event: QKeyEvent) -> None:
        """Take a key that was pressed in the list."""
        if (action := action_of(event, LIST_ACTIONS)) is not None:
            event.accept()
            self._press(action)

    def _press(self, action: Action, *clicked: bool) -> None:
        """Do what a key or a button says; an object that is open is gone on with on the image."""
        if self._try(lambda: action.command(self._scene.hand)) and action is REOPEN:
            self._scene.hand.wake_keys()
            window = self.window()
            if isinstance(window, QMainWindow) and (canvas := window.centralWidget()) is not None:
                canvas.setFocus()

    def _go_to(self, label: int) -> None:
        self._try(lambda: self._review.go_to(label))

    def _hide(self, is_on: bool) -> None:
        self._review.hides_reviewed = is_on

    def _try(self, command: Callable[[], object]) -> bool:
        """Do something; what cannot be done is said. Return whether it was done."""
        try:
            command()
        except (ValueError, TypeError, IndexError, OSError) as error:
            self._say(str(error))
            return False
        self._say("")
        return True

    # Counting and writing

    def _look(self) -> None:
        """Have counted what is not known, if somebody sees it."""
        is_due = self._for_counting.current is None and time.monotonic() >= self._next_count
        if not is_due or self.visibleRegion().isEmpty():
            return
        if (counting := self._review.uncounted) is not None:
            self._count_began = time.monotonic()
            self._for_counting.submit(counting)

    def _on_counted(self, counting: CountObjects, objects: ObjectList) -> None:
        now = time.monotonic()
        self._next_count = now + LEAST_PAUSE * (now - self._count_began)
        self._review.take(counting, objects)
        self._say(too_many(objects.census))

    def _start_copy(self, *clicked: bool) -> None:
        self._write(None)

    def _ask_path(self, *clicked: bool) -> None:
        dialog = QFileDialog(self, "Save the list")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("Comma-separated values (*.csv)")
        dialog.setDefaultSuffix("csv")
        dialog.fileSelected.connect(self._write)
        dialog.open()

    def _write(self, path: str | None) -> None:
        if self._review.objects is not None:
            objects = copy(self._review.objects)
            target = None if path is None else Path(path)
            self._for_writing.submit(WriteObjects(objects, self._review.order, target))

    def _on_written(self, work: WriteObjects, written: Copied | Path) -> None:
        if isinstance(written, Path):
            self._say(f"Saved as {written}.")
        elif (clipboard := QGuiApplication.clipboard()) is not None:
            clipboard.setText(written.text)
            self._say(f"Copied {written.n_objects:,} objects.")

    def _on_failed(self, work: Any, error: Exception) -> None:
        self._say(f"⚠ {error}")

    # What there is

    def _on_changed(self, event: Any = None) -> None:
        if not self._showing.isActive():
            self._showing.start()

    def _on_moved(self) -> None:
        self._table.choose(self._review.current)
        self._show_current()

    def _show(self) -> None:
        review = self._review
        self._progress.setText(progress_text(review.n_reviewed, review.n_objects))
        self._hides.setChecked(review.hides_reviewed)
        self._empty.setText(self._why_empty())
        self._pages.setCurrentIndex(0 if len(review.order) else 1)
        self._table.show_all(review.current)
        self._show_keys()
        there = self._buttons[NEXT], self._buttons[PREVIOUS], self._copy, self._save
        for widget in (self._hides, *there):
            widget.setEnabled(review.n_objects > 0)
        self._show_current()

    def _show_keys(self) -> None:
        """Say which keys do what: on the buttons, and of those without one over the list."""
        for action, button in self._buttons.items():
            button.setText(titled(action.title, action.key))
            button.setToolTip(action.tooltip)
        others = (f"{action.key}: {action.title.lower()}" for action in (ABOVE, BELOW, TOGGLE))
        self._table.setToolTip(f"Keys in this list: {', '.join(others)}; and those on the buttons.")

    def _why_empty(self) -> str:
        if self._review.n_objects:
            return self._review.nothing_left
        if self._session.labels is None and self._labels.layers:
            return NO_LABELS
        return NO_OBJECTS

    def _show_current(self) -> None:
        label, objects = self._review.current, self._review.objects
        index = None if label is None or objects is None else objects.index(label)
        for action in OF_ONE:
            self._buttons[action].setEnabled(index is not None)
        if index is None or objects is None or label is None:
            self._about.say(CHOOSE.format(key=NEXT.key) if self._review.n_objects else "")
            return
        plane = tuple(objects.rows["plane"][index].tolist())
        made = made_text(self._session.objects.get(label, plane))
        why = ", ".join(objects.reasons(index)) or "nothing is odd"
        self._about.say(f"Object {label}{f' ({made})' if made else ''}: {why}.")

    def _say(self, text: str) -> None:
        self._status.say(text)


def _close(links: Links, lanes: tuple[Lane, Lane], review: Review, gone: object = None) -> None:
    """Cut what reaches into a dock that is gone, and end what it has begun."""
    links.cut()
    for lane in lanes:
        if isinstance(lane.current, CountObjects):
            review.give_up(lane.current)
        lane.stop()


def _button(title: str = "", tip: str = "") -> QPushButton:
    """Return a button that leaves the keys to the list, or to the image."""
    button = QPushButton(title)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
