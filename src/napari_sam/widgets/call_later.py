"""What is better done after the event that asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable


def call_later(work: Callable[[], None]) -> None:
    """Have something done in the next turn of the event loop; never, if there is no window."""
    if "qtpy" not in sys.modules:
        return
    from qtpy.QtCore import QCoreApplication, QTimer

    if QCoreApplication.instance() is not None:
        QTimer.singleShot(0, work)
