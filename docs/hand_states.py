"""The dock Segment at work: what the hand does, and what the eye sees.

``docs/screenshot.py`` has its pictures taken.
"""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from docs.window import COINS, Camera, Window, window
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tools.hand import ALT, LEFT, SHIFT, wait_until

from napari_sam.widgets.two_pages import TwoPages


def take(camera: Camera) -> None:
    """Take the pictures."""
    with window(camera, "Segment", sample=None) as it:
        it.photograph("empty")
    with window(camera, "Segment") as it:
        show_clicks(it)
        show_drawing(it)
        show_kept(it)
        show_seldom(it)
    with window(camera, "Segment") as it:
        show_followed(it)


def show_clicks(it: Window) -> None:
    """Show the hover outline, candidates by the wheel, Shift, and clicks of both kinds."""
    it.hand.move(COINS[0])
    it.outlined()
    it.photograph("hover")
    it.hand.click(COINS[0])
    it.answered()
    it.hand.wheel(COINS[0], 1, ALT)
    it.photograph("candidates")
    it.hand.move((54, 58))
    with it.hand.holding(Qt.Key.Key_Shift):
        it.outlined(positive=False)
        it.photograph("negative")
    it.session.preferred_rank = None
    it.hand.click((60, 66), SHIFT)
    it.answered()
    it.hand.move(COINS[1])
    it.outlined()
    it.photograph("clicks")
    it.keep()


def show_drawing(it: Window) -> None:
    """Show box, scribble and lasso, while the button is down."""
    (y, x), radius = COINS[1], 24
    it.hand.key(Qt.Key.Key_2)
    with it.hand.dragging([(y - 24, x - 25), (y, x), (y + 20, x + 18), (y + 22, x + 22)]):
        it.outlined()
        it.photograph("box")
    it.keep()
    it.hand.key(Qt.Key.Key_3)
    (y, x) = COINS[2]
    with it.hand.dragging([(y - 14, x - 14), (y - 4, x - 10), (y + 3, x), (y + 12, x + 12)]):
        it.photograph("scribble")
    it.answered()
    with it.hand.dragging([(y - 8, x + 28), (y, x + 32), (y + 9, x + 30)], SHIFT):
        it.photograph("scribble-negative")
    it.keep()
    it.hand.key(Qt.Key.Key_4)
    (y, x), turns = COINS[3], [0.1 * pi * step for step in range(18)]
    with it.hand.dragging([(y - radius * cos(turn), x + radius * sin(turn)) for turn in turns]):
        it.photograph("lasso")
    it.keep()
    it.hand.key(Qt.Key.Key_1)


def show_kept(it: Window) -> None:
    """Show a kept object opened again, turbo, and the next object after some kept ones."""
    it.hand.double_click(COINS[0])
    it.photograph("reopened")
    it.hand.key(Qt.Key.Key_Escape)
    it.hand.key(Qt.Key.Key_T)
    n_objects = len(it.session.objects)
    it.hand.click(COINS[4])
    wait_until(lambda: len(it.session.objects) > n_objects)
    it.hand.move(COINS[5])
    it.outlined()
    it.photograph("turbo")
    it.hand.key(Qt.Key.Key_T)
    it.hand.click(COINS[6])
    it.answered()
    it.hand.move((196, 102))
    it.outlined()
    it.photograph("segment")
    it.keep()


def show_seldom(it: Window) -> None:
    """Show a tool of napari in the hand, another layer selected, and what is seldom changed."""
    layers, labels = it.viewer.layers, it.session.labels
    layers.selection.active, labels.mode = labels, "paint"
    it.photograph("other-tool")
    labels.mode = "pan_zoom"
    layers.selection.active = it.session.image
    it.photograph("keys-asleep")
    QTest.mouseClick(it.open_dock("Segment").findChild(TwoPages).button, LEFT)
    it.photograph("advanced")


def show_followed(it: Window) -> None:
    """Show an object that has been followed through a stack; its planes lie beside each other."""
    coins = it.viewer.layers["coins"]
    it.viewer.layers.remove(coins)
    planes = [np.roll(coins.data, shift, axis=1) for shift in range(-6, 7, 2)]
    it.viewer.add_image(np.stack(planes), name="stack")
    it.viewer.dims.set_current_step(0, len(planes) // 2)
    it.hand.click(COINS[0])
    it.answered()
    it.hand.key(Qt.Key.Key_F)
    wait_until(lambda: len(it.session.objects) > 1)
    it.photograph("followed")
