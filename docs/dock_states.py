"""The docks Objects, Automatic, Embeddings and Models.

``docs/screenshot.py`` has its pictures taken.
"""

from __future__ import annotations

from docs.window import Camera, Window, buttons, window
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QDoubleSpinBox, QProgressBar
from tools.hand import LEFT, wait, wait_until

from napari_sam.widgets.model_list import ModelList


def take(camera: Camera) -> None:
    """Take the pictures."""
    for dock in ("Objects", "Automatic", "Embeddings"):
        with window(camera, dock, sample=None) as it:
            it.photograph(f"{dock.lower()}-empty")
    with window(camera) as it:
        show_objects(it)
    with window(camera, "Automatic") as it:
        show_automatic(it)
    with window(camera, sample=None) as it:
        show_embeddings(it)
    with window(camera, "Models", sample="cell") as it:
        show_models(it)


def show_objects(it: Window) -> None:
    """Show all coins kept, and the first of them looked at and accepted."""
    it.session.adopt_image()
    it.session.commit_all(it.session.find((0, 0, 303, 384)))
    it.open_dock("Segment")
    it.open_dock("Objects")
    it.show_all()
    it.hand.click((150, 5))
    it.hand.key(Qt.Key.Key_Escape)
    for key in "NYY":
        it.hand.key(getattr(Qt.Key, f"Key_{key}"))
        wait(0.5)
    wait(1)
    it.photograph("objects")


def show_automatic(it: Window) -> None:
    """Show all coins found at once, of which a slider has dropped some; then the whole plane."""
    dock = it.open_dock("Automatic")
    titled = buttons(dock)
    QTest.mouseClick(titled["Preview"], LEFT)
    wait_until(titled["Keep these"].isEnabled)
    predicted_iou = dock.findChildren(QDoubleSpinBox)[0]
    predicted_iou.setFocus()
    predicted_iou.selectAll()
    QTest.keyClicks(predicted_iou, "0.83")
    QTest.keyClick(predicted_iou, Qt.Key.Key_Return)
    wait(1.5)
    it.photograph("automatic")
    QTest.mouseClick(titled["Keep these"], LEFT)
    wait(2)
    it.photograph("automatic-kept")


def show_embeddings(it: Window) -> None:
    """Show the map of tiles over a large field, partly encoded."""
    it.open_sample("cells_20000")
    it.viewer.layers["cells"].contrast_limits = (40, 255)  # without noise, for a smaller file
    dock = it.open_dock("Embeddings")
    wait(1)
    it.viewer.scene.camera.center, it.viewer.scene.camera.zoom = (9_000, 9_500), 0.14
    titled = buttons(dock)
    titled["Map"].click()
    QTest.mouseClick(titled["Visible"], LEFT)
    bar = dock.findChild(QProgressBar)
    wait_until(lambda: 0.4 * bar.maximum() < bar.value() < bar.maximum(), 600)
    it.photograph("embeddings")


def show_models(it: Window) -> None:
    """Show the models, none of them fetched, and what is asked before one is."""
    dock = it.open_dock("Models")
    it.photograph("models")
    names = dock.findChild(ModelList)
    names.setFocus()
    QTest.keyClick(names, Qt.Key.Key_Down)
    it.photograph("models-chosen")
    buttons(dock)["Fetch …"].click()
    wait(0.5)
    dialog = dock.findChild(QDialog)
    it.photograph_dialog(dialog, "models-fetch")
    dialog.reject()
