"""A few lines of text that never push the rest of a dock aside."""

from __future__ import annotations

import re

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea

from napari_sam.image.window import is_power_of_two
from napari_sam.widgets.looking import resolution_text

MOST_LINES = 8
FRAME = 4
"""What napari's themes put around the text, in pixels; at both sides together."""

STEP = re.compile(
    r"(?:(?<=\bWindows of )step |(?<![\w/\\'-])step=)(\d+(?:\.\d+)?)(?![\w/\\'-]|\.\w)"
)
"""A step as errors and warnings of the library write it."""


class Sentences(QScrollArea):
    """Plain text that wraps anywhere; what does not fit is seen by scrolling.

    Parameters
    ----------
    n_lines : int
        How many lines there is always room for.
    """

    def __init__(self, n_lines: int) -> None:
        super().__init__()
        self._n_lines = n_lines
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._label.setMinimumWidth(1)
        self._label.setContentsMargins(0, 0, 8, 0)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setWidget(self._label)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    @property
    def text(self) -> str:
        """What is said."""
        return re.sub("[\u200b\u2060]", "", self._label.text())

    def say(self, text: str) -> None:
        """Show a text from its beginning, with steps as the resolutions that docks call them."""
        text = with_resolutions(text)
        if text != self.text:
            self._label.setText(breakable(text))
            self.verticalScrollBar().setValue(0)
            self._show_bar()
            self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Ask anew: how many lines a text takes depends on the width."""
        super().resizeEvent(event)
        self._show_bar()
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        """Ask for the lines there is always room for."""
        return QSize(1, self._height_of(self._n_lines))

    def sizeHint(self) -> QSize:
        """Ask for the room of the text, within reason."""
        beside_bar = self.width() - self.verticalScrollBar().sizeHint().width() - FRAME
        height = self._label.heightForWidth(beside_bar) + FRAME
        least, most = self._height_of(self._n_lines), self._height_of(MOST_LINES)
        return QSize(1, min(max(height, least), most))

    def _show_bar(self) -> None:
        """Show the bar if the text does not fit; Qt's stays at times when there is room again."""
        fits = self._label.heightForWidth(self.width() - FRAME) <= self.height() - FRAME
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if fits else policy.ScrollBarAlwaysOn
        )

    def _height_of(self, n_lines: int) -> int:
        return n_lines * self._label.fontMetrics().lineSpacing() + 16  # the theme pads labels


def breakable(text: str) -> str:
    """Let long addresses, paths and hashes wrap: after slashes, or anywhere; but no speeds."""
    return re.sub(r"\S{17,}", _breakable, text.replace("MB/s", "MB/\u2060s"))


def without_hashes(text: str) -> str:
    """Shorten hashes to what tells them apart."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b", r"\1…", text)


def with_resolutions(text: str) -> str:
    """Return a text with the library's steps as the docks say them: a step of 4 is 1/4.

    Names of layers and files stay as they are: what is in quotes, in a path or part of a word, and
    what is no step at all.
    """
    return STEP.sub(_resolution, text).replace("a smaller step", "a finer resolution")


def _resolution(found: re.Match[str]) -> str:
    step = float(found[1])
    if not is_power_of_two(step):
        return found[0]
    return "full resolution" if step == 1 else f"resolution {resolution_text(step)}"


def _breakable(word: re.Match[str]) -> str:
    return re.sub(r"([/\\])(?=[^/\\])|(\w{16})(?=\w)", "\\1\\2\u200b", word[0])
