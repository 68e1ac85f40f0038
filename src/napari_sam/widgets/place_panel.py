"""Where encoded tiles are kept: in memory or in a folder, to be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_sam.widgets.lane import Lane
from napari_sam.widgets.pace import share_text, size_text
from napari_sam.widgets.predictor import Predictor
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.store_jobs import Keep, store_path

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession
    from napari_sam.widgets.survey import Survey

FOLDER_TIP = (
    "Keep features on disk, so that nothing is ever encoded twice. Choose the folder of a store "
    "that there is, or one to make it in."
)
MEMORY_TIP = "Keep features in memory only; a store stays as it is."


class PlacePanel(QWidget):
    """Tells where features are kept, and opens another place.

    Parameters
    ----------
    session : SegmentSession
        Whose features these are.

    Attributes
    ----------
    said : Signal of str
        Emitted with what is being done, or why it failed; with nothing when it is done.
    lane : Lane
        In which stores are opened; to be stopped with the dock.
    """

    said = Signal(str)

    def __init__(self, session: SegmentSession) -> None:
        super().__init__()
        self.lane = Lane()
        self._session = session
        self._text = Sentences(3)
        self._folder, self._memory = QPushButton("Folder …"), QPushButton("Memory")
        self._folder.setToolTip(FOLDER_TIP)
        self._memory.setToolTip(MEMORY_TIP)
        row = QHBoxLayout()
        row.addWidget(self._folder)
        row.addWidget(self._memory)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._text)
        column.addLayout(row)
        self._folder.clicked.connect(self._ask_folder)
        self._memory.clicked.connect(self._use_memory)
        self.lane.progressed.connect(self.said)
        self.lane.answered.connect(self._on_opened)
        self.lane.failed.connect(self._on_failed)

    def show_survey(self, survey: Survey | None) -> None:
        """Show where features are kept, and how full that is."""
        store, used, free = self._session.store, "", ""
        if survey is not None:
            used = f", {share_text(survey.memory_bytes, survey.most_memory_bytes)} used"
        if survey is not None and survey.free_bytes is not None:
            free = f", {size_text(survey.free_bytes)} free"
        place = (
            f"{store}{free}, and in memory{used}."
            if store
            else f"memory only{used}: forgotten with the next image or model."
        )
        self._text.say(f"Encoded tiles are kept in {place}")
        self._memory.setEnabled(store is not None)
        self._folder.setEnabled(self._session.image is not None)

    def say(self, text: str) -> None:
        """Show something else than the place."""
        self._text.say(text)

    def use_folder(self, folder: str) -> None:
        """Keep features in the store that is meant by a folder (see `store_path`)."""
        if (layer := self._session.image) is not None:
            self._keep(store_path(Path(folder), layer.name, self._session.model))

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, "Keep features in a folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.use_folder)
        dialog.open()

    def _use_memory(self) -> None:
        self._keep(None)

    def _keep(self, store: Path | None) -> None:
        if (predictor := self._session.predictor) is not None:
            self.lane.submit(Keep(predictor, store))

    def _on_opened(self, work: Keep, predictor: Predictor) -> None:
        if work.predictor is self._session.predictor:
            self.said.emit("")
            self._session.keep(predictor)

    def _on_failed(self, work: Keep, error: Exception) -> None:
        if work.predictor is self._session.predictor:
            self.said.emit(f"⚠ {error}")
