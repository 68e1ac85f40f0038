"""What a session leaves behind: labels on disk, and a script that makes them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession

SAVE_TIP = (
    "Write the labels to a folder on disk, as OME-Zarr, with the prompts of their objects. From "
    "then on every object kept is written there at once."
)
SCRIPT_TIP = "Python that does again what has been done by hand in this session."


class FilesRow(QWidget):
    """Two buttons: for the labels, and for the script."""

    def __init__(self, session: SegmentSession) -> None:
        super().__init__()
        self._session = session
        save, script = QPushButton("Save labels …"), QPushButton("Script")
        save.setToolTip(SAVE_TIP)
        script.setToolTip(SCRIPT_TIP)
        menu = QMenu(script)
        menu.addAction("Copy to the clipboard", self._copy_script)
        menu.addAction("Save as …", self._ask_script)
        script.setMenu(menu)
        save.clicked.connect(self._ask_labels)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(side_by_side(save, script, spacing=4))

    def ask_open(self) -> None:
        """Ask which labels to open."""
        dialog = self._dialog("Open labels: an OME-Zarr folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._open_labels)
        dialog.open()

    def _ask_labels(self) -> None:
        dialog = self._dialog("Save labels as OME-Zarr")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        name = self._session.labels.name if self._session.labels else "labels"
        dialog.selectFile(f"{name}.ome.zarr")
        dialog.fileSelected.connect(self._save_labels)
        dialog.open()

    def _ask_script(self) -> None:
        dialog = self._dialog("Save the script")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile("segment.py")
        dialog.fileSelected.connect(self._save_script)
        dialog.open()

    def _dialog(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self, title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog

    def _save_labels(self, path: str) -> None:
        with self._session.telling():
            self._session.save_labels(path, wait=False)

    def _open_labels(self, path: str) -> None:
        with self._session.telling():
            self._session.open_labels(path)

    def _copy_script(self) -> None:
        QGuiApplication.clipboard().setText(self._session.script())

    def _save_script(self, path: str) -> None:
        with self._session.telling():
            Path(path).write_text(self._session.script(), encoding="utf-8")
