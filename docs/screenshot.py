"""Photograph the plugin at work: real windows, driven by real mouse and key events.

Run it on a machine with a display of 2732 × 1536, or with
``xvfb-run -a -s "-screen 0 2732x1536x24"``::

    python -m docs.screenshot [folder [theme scale]]

It writes pictures of the whole window to the folder (default: ``docs/images``), and one of each
state of each dock to the folder ``states`` in it: in the dark and in the light theme, and some as
a screen of high resolution shows them. It fails if a window does not fit a screen of 1366 × 768.
The same code gives the same pictures, but for what is told of time and of free memory and disk. On
two cores it takes up to twelve minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SETS = (("dark", 1.0), ("light", 1.0), ("dark", 2.0), ("light", 1.5))
"""Themes, and pixels of the screen per pixel of Qt."""

IN_HIGH_RESOLUTION = frozenset({"clicks", "candidates", "objects", "automatic", "models"})
"""What is photographed at other scales than 1."""

HOME = Path(tempfile.gettempdir()) / "napari-sam-pictures"
"""For what the windows keep and find: nothing of other work. It is seen in the pictures."""


def main(folder: Path) -> None:
    """Take the pictures of each set in a process of its own, as the scale cannot change in one."""
    for theme, scale in SETS:
        shutil.rmtree(HOME, ignore_errors=True)
        clean = {
            "XDG_CACHE_HOME": f"{HOME}/cache",
            "XDG_STATE_HOME": f"{HOME}/state",
            "NAPARI_CONFIG": f"{HOME}/settings.yaml",
            "NAPARI_SAM_MODELS": f"{HOME}/models",
            "QT_SCALE_FACTOR": f"{scale:g}",
        }
        command = [sys.executable, "-m", "docs.screenshot", str(folder), theme, f"{scale:g}"]
        try:
            subprocess.run(command, env=os.environ | clean, check=True)
        finally:
            shutil.rmtree(HOME, ignore_errors=True)


def take_set(folder: Path, theme: str, scale: float) -> None:
    """Take the pictures of one set."""
    from docs import dock_states, hand_states, message_states
    from docs.window import Camera

    camera = Camera(folder, theme, scale, frozenset() if scale == 1 else IN_HIGH_RESOLUTION)
    hand_states.take(camera)
    dock_states.take(camera)
    if scale == 1:
        message_states.take(camera)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder, theme, scale]:
            take_set(Path(folder), theme, float(scale))
        case [folder]:
            main(Path(folder))
        case _:
            main(Path(__file__).parent / "images")
