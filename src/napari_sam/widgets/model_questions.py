"""What one is asked before weights are fetched, removed or imported; no question blocks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam.model.weights import weights_folder
from napari_sam.widgets.model_rows import whole_size_text
from napari_sam.widgets.pace import size_text
from napari_sam.widgets.sentences import breakable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam.model import ModelSpec
    from napari_sam.widgets.model_rows import Row

WIDTH = 440
FILES = "Weights (*.pt *.pth *.safetensors);;All files (*)"


class FetchDialog(QDialog):
    """Shows size, licence, origin and destination of weights, and asks whether to fetch them.

    Parameters
    ----------
    spec : ModelSpec
        What would be fetched.
    parent : QWidget
        Whose window waits.
    """

    def __init__(self, spec: ModelSpec, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Fetch {spec.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        n_missing = spec.size_bytes - spec.present_bytes
        n_free = _free_bytes(weights_folder())
        title = QLabel(f"<b>Fetch {spec.name}?</b>")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setColumnStretch(1, 1)
        for line, (name, text) in enumerate(_facts(spec, n_free).items()):
            grid.addWidget(QLabel(name), line, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_wrapped(text), line, 1)
        buttons = QDialogButtonBox()
        fetch = buttons.addButton("Fetch", QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(title)
        column.addLayout(grid)
        if n_free < n_missing:
            column.addWidget(_wrapped(f"Make room first: {size_text(n_missing)} are needed."))
            fetch.setEnabled(False)
        column.addWidget(buttons)
        self.setMinimumWidth(WIDTH)


def ask_remove(row: Row, parent: QWidget, then: Callable[..., object]) -> None:
    """Ask whether to delete the weights of a model, and if so call `then`."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(f"Remove {row.name}")
    box.setText(f"Delete the weights of {row.name} ({size_text(row.n_here)})?")
    again = (
        "Only the copy in the folder of weights goes"
        if row.spec.is_custom
        else ("They can be fetched again")
    )
    box.setInformativeText(f"{again}.")
    yes = box.addButton("Remove", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    yes.clicked.connect(then)
    box.open()


def ask_path(parent: QWidget, then: Callable[[str], object], *, is_folder: bool) -> None:
    """Ask for a file of weights, or a folder of them, and call `then` with its path."""
    dialog = QFileDialog(parent, "Import weights", "", FILES)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    mode = QFileDialog.FileMode
    dialog.setFileMode(mode.Directory if is_folder else mode.ExistingFile)
    dialog.fileSelected.connect(then)
    dialog.open()


def _wrapped(text: str) -> QLabel:
    label = QLabel(breakable(text))
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _facts(spec: ModelSpec, n_free: int) -> dict[str, str]:
    size = whole_size_text(spec)
    if spec.present_bytes:
        size += f"; {size_text(spec.present_bytes)} of it are here already"
    is_stated = spec.licence != "not stated"
    return {
        "Good for": spec.description,
        "Size": size,
        "Licence": spec.licence
        if is_stated
        else "The publisher states none: ask before you share.",
        "From": "\n".join(file.url for file in spec.files if file.url),
        "Checked by": _check(spec),
        "Kept in": f"{weights_folder()}\n{size_text(n_free)} are free there.",
    }


def _check(spec: ModelSpec) -> str:
    kinds = {file.known_hash.partition(":")[0].upper() for file in spec.files if file.known_hash}
    if all(file.known_hash for file in spec.files):
        return f"its known hash ({', '.join(sorted(kinds))})".replace("SHA", "SHA-")
    return "no hash: none is published. That of this download is recorded."


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
