"""The dock Segment when there is something to say: progress, what is in the way, what is lost.

``docs/screenshot.py`` has its pictures taken.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
from docs.window import COINS, Camera, Window, window
from tools.hand import wait, wait_until

import napari_sam
from napari_sam.model.record import weights_folder
from napari_sam.widgets.banner import Banner
from napari_sam.widgets.layers_form import LayersForm

SECONDS = 3.0
"""That a slow model takes for a tile."""

COINS_YX = 303, 384
"""Shape of the sample image."""


def take(camera: Camera) -> None:
    """Take the pictures."""
    with window(camera, "Segment") as it:
        show_encoding(it)
    with window(camera, "Segment") as it:
        show_few_ids(it)
        show_misfits(it)
    with window(camera, "Segment") as it:
        show_damage(it)
    show_recovery(camera)


def show_encoding(it: Window) -> None:
    """Show a click that waits for the tile under it to be encoded."""
    model = napari_sam.load_model("nano")
    encode = model.encode

    def encode_slowly(windows: Any) -> Any:
        time.sleep(SECONDS)
        return encode(windows)

    model.encode = encode_slowly  # type: ignore[method-assign]
    it.session.model = model
    it.hand.click(COINS[0])
    wait(SECONDS / 3)
    it.photograph("encoding")
    it.answered()


def show_few_ids(it: Window) -> None:
    """Show that the labels' type holds few more objects."""
    labels = it.viewer.add_labels(np.zeros(COINS_YX, np.uint8), name="few numbers")
    labels.data[290:296, 376:382] = 240
    it.session.labels = labels
    it.hand.click(COINS[1])
    it.keep()
    notified(it)
    it.photograph("few-ids")


def show_misfits(it: Window) -> None:
    """Show 3-D, an image over the chosen one, labels that do not fit, and the image removed."""
    it.viewer.dims.ndisplay = 3
    it.photograph("three-d")
    it.viewer.dims.ndisplay = 2
    other = it.viewer.add_image(np.full((200, 240), 90, np.uint8), name="other")
    it.photograph("image-over")
    it.viewer.layers.remove(other)
    it.viewer.add_labels(np.zeros((90, 120), np.uint8), name="another shape")
    form = it.open_dock("Segment").findChild(LayersForm)
    form.labels_chosen.emit(it.viewer.layers["another shape"])
    it.photograph("other-shape")
    it.session.labels = it.viewer.layers["few numbers"]
    it.viewer.layers.remove("coins")
    it.photograph("image-removed")


def show_damage(it: Window) -> None:
    """Show that the file of a model is damaged."""
    (spec,) = (spec for spec in napari_sam.list_models() if spec.name == "vit_b")
    weights_folder().mkdir(parents=True, exist_ok=True)
    for file in spec.files:
        file.target.write_bytes(b"damaged")
    it.session.model = spec.name
    it.hand.click(COINS[0])
    notified(it)
    it.photograph("damaged")
    for file in spec.files:
        file.target.unlink()


def show_recovery(camera: Camera) -> None:
    """Show the banner after a crash, and what is recovered."""
    subprocess.run([sys.executable, "-m", __name__], check=False)
    with window(camera, "Segment") as it:
        it.hand.move(COINS[-1])
        it.outlined()
        wait_until(lambda: it.session.recoverable)
        it.photograph("recovery")
        it.session.recover()
        it.photograph("recovered")
        it.session.discard_recovery()


def notified(it: Window) -> None:
    """Wait for a notice."""
    banner = it.open_dock("Segment").findChild(Banner)
    wait_until(lambda: not banner.isHidden())


def crash() -> None:
    """Keep three objects, and die."""
    with window(Camera(weights_folder()), "Segment") as it:
        it.keep_coins(3)
        wait(1)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    crash()
