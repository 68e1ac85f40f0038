"""The dock of models: what there is, what is installed, and how to get the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam.model.fetch import Cancelled
from napari_sam.model.weights import remove, weights_folder
from napari_sam.widgets.cores import cores
from napari_sam.widgets.docks import bring_forward
from napari_sam.widgets.installed import installed
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.links import Links
from napari_sam.widgets.model_jobs import (
    Job,
    Said,
    fetch_job,
    import_job,
    remove_job,
    verify_job,
)
from napari_sam.widgets.model_list import ModelList
from napari_sam.widgets.model_questions import FetchDialog, ask_path, ask_remove
from napari_sam.widgets.model_rows import Row, list_rows
from napari_sam.widgets.pace import Pace
from napari_sam.widgets.sentences import Sentences, without_hashes
from napari_sam.widgets.session import session
from napari_sam.widgets.tabs import Tab

if TYPE_CHECKING:
    import napari

WELCOME = "Models are fetched once and then work without a network. Double-click one to use it."
CORES_TIP = (
    "How many cores models may compute with, in all windows; fewer leave more to other programs. "
    "Takes effect with the next click or hover. OpenVINO, if installed, has its own settings."
)
FETCH, FETCH_AGAIN = "Fetch …", "Fetch again …"
LOOK_MS = 200


class ModelsWidget(Tab):
    """Shows all models, fetches and removes their weights, and imports a user's own.

    Only a view: all that takes long is a `Job` in a thread, one at a time.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._session = session(viewer)
        self._lane = Lane()
        self._links = Links()
        self._jobs: list[Job] = []  # the one going on, if any; shared with _close
        self._pace, self._warnings = Pace(), list[str]()
        self._damaged: set[str] = set()
        self._was_busy = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._build()
        self._link()
        self.closed.connect(self._stop)
        self.destroyed.connect(partial(_close, self._links, self._lane, self._jobs))
        self._show_rows()
        self._show_cores()
        self._list.choose(self._session.model)
        self._say(WELCOME)

    # The parts

    def _build(self) -> None:
        self._list = ModelList()
        self._about, self._status = Sentences(2), Sentences(2)
        self._use = _button("Use", "Segment with this model in this window.")
        self._fetch = _button(FETCH, "Download the weights; first shows how large they are.")
        self._verify = _button("Verify", "Compare the file with the hash that is known of it.")
        self._remove = _button("Remove …", "Delete the weights from this computer.")
        self._cancel = _button("Cancel", "Stop; fetching goes on from there another time.")
        self._progress = QProgressBar()
        self._work = QStackedWidget()
        self._work.addWidget(_row(self._use, self._fetch, self._verify, self._remove))
        self._work.addWidget(_row(self._progress, self._cancel, first=3))
        self._work.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

        self._import = _button("Import …", "Take over checkpoints of your own.")
        menu = QMenu(self._import)
        menu.addAction("A file of weights …", self._ask_file)
        menu.addAction("A folder of files …", self._ask_folder)
        self._import.setMenu(menu)
        self._folder = _button("Open folder", "")
        self._cores = QComboBox()
        self._cores.addItems([f"CPU: {n or 'all'}" for n in range(cores.n_all + 1)])
        self._cores.setToolTip(CORES_TIP)

        column = QVBoxLayout(self)
        column.addWidget(self._list, 1)
        column.addWidget(self._about)
        column.addWidget(self._work)
        column.addWidget(self._status)
        column.addWidget(_row(self._import, self._folder, self._cores))

    # Who tells whom

    def _link(self) -> None:
        self._links.add(installed.changed, self._show_rows)
        self._links.add(self._session.layers_changed, self._show_rows)
        self._links.add(cores.changed, self._show_cores)
        self._cores.activated.connect(self._choose_cores)
        self._lane.answered.connect(self._on_answered)
        self._lane.failed.connect(self._on_failed)
        self._lane.warned.connect(self._on_warned)
        self._timer.timeout.connect(self._look)
        self._list.chosen.connect(self._show_current)
        self._list.used.connect(self._use_or_fetch)
        self._use.clicked.connect(self._use_or_fetch)
        self._fetch.clicked.connect(self._ask_fetch)
        self._verify.clicked.connect(self._start_verify)
        self._remove.clicked.connect(self._ask_remove)
        self._cancel.clicked.connect(self._stop)
        self._folder.clicked.connect(self._open_folder)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look at what has changed meanwhile, and watch from now on."""
        super().showEvent(event)
        self._show_rows()
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Watch nothing while nobody looks; what is going on goes on."""
        super().hideEvent(event)
        self._timer.stop()

    # What the user asks for

    def _use_or_fetch(self) -> None:
        row = self._list.current
        if row is None or row.is_busy:
            return
        if not row.spec.installed:
            self._ask_fetch()
            return
        with self._session.telling():
            self._session.model = row.name
        self._say(f"Segment uses {row.name} in this window.")
        bring_forward(self._session.viewer, "Segment")

    def ask_fetch(self, name: str) -> None:
        """Ask whether to fetch what is missing of a model."""
        self._list.choose(name)
        self._ask_fetch()

    def fetch_again(self, name: str) -> None:
        """Delete weights that are of no use, and ask whether to fetch them."""
        self._list.choose(name)
        self._damaged.discard(name)
        try:
            remove(name)
        except (OSError, ValueError) as error:
            self._say(str(error), is_error=True)
        else:
            installed.changed.emit()
            self._ask_fetch()

    def _ask_fetch(self) -> None:
        row = self._list.current
        if row is None or self._jobs:
            return
        if self._is_damaged(row):
            self.fetch_again(row.name)
            return
        if not row.can_fetch:
            return
        dialog = FetchDialog(row.spec, self)
        dialog.accepted.connect(partial(self._start, fetch_job(row.spec)))
        dialog.open()

    def _start_verify(self) -> None:
        if row := self._list.current:
            self._start(verify_job(row.name))

    def _ask_remove(self) -> None:
        if row := self._list.current:
            ask_remove(row, self, partial(self._start, remove_job(row.name)))

    def _ask_file(self) -> None:
        ask_path(self, self._start_import, is_folder=False)

    def _ask_folder(self) -> None:
        ask_path(self, self._start_import, is_folder=True)

    def _start_import(self, path: str) -> None:
        self._start(import_job(Path(path)))

    def _choose_cores(self, n_cores: int) -> None:
        cores.chosen = n_cores or None

    def _open_folder(self) -> None:
        folder = weights_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._say(str(error), is_error=True)
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    # What is being done

    def _start(self, job: Job, *clicked: bool) -> None:
        if self._jobs:
            return
        self._jobs.append(job)
        self._pace, self._warnings = Pace(), list[str]()
        self._say(f"{job.doing} …")
        self._cancel.setVisible(job.is_fetch)
        self._cancel.setEnabled(True)
        self._progress.setRange(0, 0)
        self._lane.submit(job)
        self._show_current()

    def _stop(self) -> None:
        for job in self._jobs:
            job.cancel.set()
            self._cancel.setEnabled(False)
            self._say("Stopping …")

    def _look(self) -> None:
        """Show how far things are, here and in other windows."""
        for job in self._jobs:
            if job.is_fetch and not job.cancel.is_set() and (job.done or job.total):
                self._show_progress(job)
        if installed.jobs or self._was_busy:
            self._show_rows()

    def _show_progress(self, job: Job) -> None:
        self._pace.add(job.done)
        is_all = job.total is not None and job.done >= job.total
        how_far = "checking …" if is_all else self._pace.describe(job.done, job.total)
        self._say(f"{job.doing}: {how_far}")
        if job.total:
            self._progress.setRange(0, 1000)
            self._progress.setValue(1000 * job.done // job.total)

    def _on_answered(self, job: Job, said: Said) -> None:
        self._damaged.discard(job.name)
        self._end(said.text)
        if said.new:
            self._list.choose(said.new)

    def _on_failed(self, job: Job, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._end(f"Stopped. Fetch {job.name} again to go on from there.")
        else:
            if job.is_check and isinstance(error, ValueError):
                self._damaged.add(job.name)
            self._end(str(error) or type(error).__name__, is_error=True)

    def _on_warned(self, job: Job, text: str) -> None:
        self._warnings.append(text)

    def _end(self, text: str, *, is_error: bool = False) -> None:
        self._jobs.clear()
        self._say("\n".join([text, *self._warnings]), is_error=is_error)
        installed.changed.emit()

    # What there is

    def _show_rows(self) -> None:
        self._was_busy = bool(installed.jobs)
        self._list.show_rows(list_rows(self._session.model))
        self._show_current()

    def _show_cores(self) -> None:
        self._cores.setCurrentIndex(cores.chosen or 0)

    def _show_current(self) -> None:
        row = self._list.current
        if row is None:
            return
        self._work.setCurrentIndex(1 if self._jobs else 0)
        self._import.setEnabled(not self._jobs)
        is_free = not (self._jobs or row.is_busy)
        self._about.say(f"{row.spec.description}\n{row.facts}")
        self._use.setEnabled(row.spec.installed and not row.is_used)
        is_damaged = self._is_damaged(row)
        self._fetch.setText(FETCH_AGAIN if is_damaged else FETCH)
        self._fetch.setEnabled(is_free and (row.can_fetch or is_damaged))
        self._verify.setEnabled(is_free and row.spec.installed)
        self._remove.setEnabled(is_free and row.can_remove)
        self._folder.setToolTip(f"Weights are kept in {weights_folder()}")

    def _is_damaged(self, row: Row) -> bool:
        """Whether weights have been found damaged that can be fetched again."""
        has_address = any(file.url for file in row.spec.files)
        return row.name in self._damaged and row.spec.installed and has_address

    def _say(self, text: str, *, is_error: bool = False) -> None:
        self._status.say(f"⚠ {without_hashes(text)}" if is_error else text)
        self._status.setToolTip(text if is_error else "")


def _close(links: Links, lane: Lane, jobs: list[Job], gone: object = None) -> None:
    """End what a dock that is gone has begun, and cut what reaches into it."""
    links.cut()
    for job in jobs:
        job.cancel.set()
    lane.stop()


def _button(title: str, tip: str) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(tip)
    return button


def _row(*widgets: QWidget, first: int = 1) -> QWidget:
    """Put widgets side by side; the first is so many times as wide as the others."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, first if widget is widgets[0] else 1)
    return row
