"""How long the window stands still: the longest gaps of the event loop while one works in it.

Run from the repository, on a display or in a virtual one::

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python -m benchmarks.responsiveness
"""

from __future__ import annotations

import time

import napari
from qtpy.QtCore import Qt, QTimer
from tools.hand import Hand, wait, wait_until

import napari_sam


class Pulse:
    """Ticks every 5 ms and remembers how late each tick came."""

    def __init__(self) -> None:
        self._last, self._gaps = time.perf_counter(), list[float]()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(5)

    def _tick(self) -> None:
        now = time.perf_counter()
        self._gaps.append(now - self._last)
        self._last = now

    def report(self, phase: str) -> None:
        """Print the longest gap and the 95th percentile since the last report."""
        gaps = sorted(self._gaps)
        print(f"{phase:28} {gaps[-1] * 1e3:6.0f} {gaps[int(len(gaps) * 0.95)] * 1e3:6.0f}")
        self._gaps.clear()


def main() -> None:
    """Open the coins and the dock, hover, click and keep; print a line for each."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "coins")
    wait(2)
    pulse = Pulse()
    wait(0.5)
    print(f"{'ms':28} {'max':>6} {'p95':>6}")
    pulse.report("nothing happens")
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    wait(6)
    pulse.report("the dock and nano open")
    session, hand = napari_sam.session(viewer), Hand(viewer)
    hand.move((54, 44))
    wait_until(lambda: session.hovered)
    pulse.report("first hover, with encoding")
    for i in range(30):
        hand.move((54 + 3 * i, 44 + 5 * i))
    pulse.report("hover")
    for name, coin in (("first", (56, 100)), ("second", (51, 155))):
        hand.click(coin)
        wait_until(lambda: session.mask)
        wait(0.3)
        pulse.report(f"{name} click")
        hand.key(Qt.Key.Key_Return)
        wait(0.5)
        pulse.report(f"{name} commit")
    viewer.close()


if __name__ == "__main__":
    main()
