"""What a session leaves behind: labels on disk, and a script that makes them again."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.segment_session import SegmentSession

SAVE_TIP = (
    "Write the labels to a folder on disk, as OME-Zarr, with the prompts of their objects. From "
    "then on every object kept is written there at once."
)
SCRIPT_TIP = "Python that does again what has been done by hand in this session."


class FilesRow(QWidget):
    """Two buttons: for the labels, and for the script."""

    def __init__(self, session: SegmentSession, links: Links) -> None:
        super().__init__()
        self._session = session
        save, script = QPushButton("Save labels …"), QPushButton("Script")
        self._save = save
        save.setObjectName("save")
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
        links.add(session.layers_changed, self._show)
        self._show()

    def ask_open(self) -> None:
        """Ask which labels to open."""
        dialog = self._dialog("Open labels: an OME-Zarr folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self._open_labels)
        dialog.open()

    def _ask_labels(self) -> None:
        dialog = self._dialog("Save labels as OME-Zarr")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        name = self._session.labels.name if self._session.labels else "labels"
        dialog.selectFile(_free_name(self._folder(), name))
        dialog.fileSelected.connect(self._save_labels)
        dialog.open()

    def _ask_script(self) -> None:
        dialog = self._dialog("Save the script")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile("segment.py")
        dialog.fileSelected.connect(self._save_script)
        dialog.open()

    def _dialog(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self, title, str(self._folder()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog

    def _folder(self) -> Path:
        """Return where files are looked for first: beside these labels, or beside the image."""
        session = self._session
        path = session.labels_path or (session.image and session.image.source.path) or ""
        folder = Path(path).absolute().parent
        return folder if path and folder.is_dir() else Path.cwd()

    def _show(self) -> None:
        self._save.setEnabled(self._session.labels is not None)

    def _save_labels(self, path: str) -> None:
        with self._session.telling():
            self._session.save_labels(path, wait=False)

    def _open_labels(self, path: str) -> None:
        with self._session.telling():
            self._session.open_labels(path, wait=False)

    def _copy_script(self) -> None:
        QGuiApplication.clipboard().setText(self._session.script())

    def _save_script(self, path: str) -> None:
        with self._session.telling():
            Path(path).write_text(self._session.script(), encoding="utf-8")


def _free_name(folder: Path, name: str) -> str:
    """Return a name that nothing in a folder has: a dialog would go into what is there."""
    numbers = chain([""], (f" {number}" for number in count(2)))
    names = (f"{name}{number}.ome.zarr" for number in numbers)
    return next(free for free in names if not (folder / free).exists())
