"""Alt as a key that is held, not as the way into the menus."""

from __future__ import annotations

from qtpy.QtCore import QCoreApplication, QEvent, QObject


def keep_from_menu() -> None:
    """Have Alt, which is down, do nothing more when it is released.

    Qt gives all keys to the menu bar once Alt is released with nothing done in between; the next
    Enter would open a menu. Turning the wheel is nothing to Qt, so it is told of something that is.
    """
    QCoreApplication.sendEvent(QObject(), QEvent(QEvent.Type.ActivationChange))
