"""The table of resolutions: how many tiles of each are encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_sam.widgets.looking import resolution_text

if TYPE_CHECKING:
    from napari_sam.widgets.survey import Survey

TITLES = ("Resolution", "This plane", "All planes")
TIP = "Tiles that are encoded, of all there are. Click a resolution to encode it."
HERE = "What a click looks through at this zoom."
N_ROWS_SHOWN = 7  # a plane of 100 000 pixels has one more, to be scrolled to


class LevelTable(QTableWidget):
    """One line for each resolution; one is chosen.

    Attributes
    ----------
    chosen : Signal of float
        Emitted with the step of a line that the user has clicked.
    """

    chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__(0, len(TITLES))
        self._steps: list[float] = []
        self.setHorizontalHeaderLabels(TITLES)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.setToolTip(TIP)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        row = self.verticalHeader().minimumSectionSize()
        self.verticalHeader().setDefaultSectionSize(row)
        self.setFixedHeight(row * (N_ROWS_SHOWN + 1) + 8)
        self.cellClicked.connect(self._on_click)

    def show_survey(self, survey: Survey | None, here: float | None, step: float | None) -> None:
        """Show what a survey has found.

        Parameters
        ----------
        survey : Survey, optional
            Without one, nothing is shown.
        here : float, optional
            Step of what a click looks through now; its line is bold.
        step : float, optional
            Step that is chosen.
        """
        levels = survey.levels if survey else ()
        self._steps = [level.step for level in levels]
        self.setRowCount(len(levels))
        self.setColumnHidden(2, all(level.n_plane == level.n_stack for level in levels))
        for row, level in enumerate(levels):
            texts = (
                resolution_text(level.step),
                f"{level.n_plane_done:,} of {level.n_plane:,}",
                f"{level.n_stack_done:,} of {level.n_stack:,}",
            )
            for column, text in enumerate(texts):
                self._show(row, column, text, is_here=level.step == here)
        if step in self._steps:
            self.selectRow(self._steps.index(step))
        else:
            self.clearSelection()

    def _show(self, row: int, column: int, text: str, *, is_here: bool) -> None:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.setItem(row, column, item)
        font = item.font()
        font.setBold(is_here)
        item.setFont(font)
        item.setText(text)
        item.setToolTip(HERE if is_here else TIP)

    def _on_click(self, row: int, column: int) -> None:
        self.chosen.emit(self._steps[row])
