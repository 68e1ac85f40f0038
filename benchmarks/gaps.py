"""How long a window stands still in each phase of the work, with the plugin and without it.

Garbage is collected before each phase, so that none stands still for what others have left; what
napari collects itself, whenever a layer is removed, counts.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
from benchmarks.cell_window import SIDE, cells_on_screen, open_window
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from napari_sam.image.cells import cell_field, cell_labels
from napari_sam.masks import Mask, MaskTable

OTHER_DOCKS = ("Objects", "Automatic")


def gaps(with_us: str) -> dict[str, list[float]]:
    """Return the longest gap of each phase: its length without other programs, wall, main CPU."""
    import napari
    from benchmarks.pulse import Pulse
    from tools.hand import wait

    viewer, stack = open_window(with_dock=False), lazy_stack()
    truth = np.asarray(cell_labels((SIDE, SIDE))[0])
    stack[0, :1, :1].compute()  # dask imports what it computes with
    wait(1)
    phases = (phases_of_ours if with_us == "ours" else phases_of_napari)(viewer, stack, truth)
    next(phases)
    pulse, found = Pulse(), dict[str, list[float]]()
    for phase in phases:
        gap = pulse.longest()
        longest = np.array([gap.own, gap.wall, gap.main])
        found[phase] = np.maximum(found.get(phase, 0), longest).tolist()
        gc.collect()
        wait(0.1)
        pulse.longest()  # forgotten
    napari.Viewer.close_all()
    return found


def phases_of_ours(viewer: Any, stack: Any, truth: NDArray[Any]) -> Iterator[str]:
    """Do one thing after the other, and yield what was done."""
    from qtpy.QtCore import Qt
    from tools.hand import Hand, wait, wait_until

    import napari_sam

    table = table_of(truth)
    yield "made ready"
    wait(0.5)
    yield "nothing"
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    session, hand = napari_sam.session(viewer), Hand(viewer)
    wait_until(lambda: session.predictor.embeddings)
    wait(1)
    yield "open the dock and nano"
    first, *cells = cells_on_screen(30)
    hand.move(first)
    wait_until(lambda: session.hovered)
    wait(0.5)
    yield "first hover, encoding"
    for cell in cells[:20]:
        hand.move(cell)
    yield "hover, decoding"
    for i, cell in enumerate(cells[20:26]):
        hand.move(cell)
        wait(0.2)
        hand.press(cell)
        wait_until(lambda: session.mask)
        wait(0.3)
        yield "click" if i else "first click"
        hand.key(Qt.Key.Key_Return)
        wait(0.4)
        yield "commit" if i else "first commit"
    for name in OTHER_DOCKS:
        viewer.window.add_plugin_dock_widget("napari-sam", name)
        wait(1)
        yield f"open the dock {name}"
    viewer.reset_view()
    wait(0.5)
    yield "show the whole image"
    session.commit_all(table, source="found", wait=False)  # as the dock does
    wait_until(lambda: not session.is_held_up)
    wait(1)
    yield "keep all cells"
    session.undo()
    wait(1)
    yield "take them back"
    viewer.add_image(stack, contrast_limits=(0, 255), name="stack")
    wait(2)
    yield "open a stack"
    session.image = viewer.layers["stack"]
    wait(2)
    yield "segment the stack"


def phases_of_napari(viewer: Any, stack: Any, truth: NDArray[Any]) -> Iterator[str]:
    """Do what napari itself does in these phases."""
    from qtpy.QtWidgets import QWidget
    from tools.hand import Hand, wait

    where = np.nonzero(truth)
    yield "made ready"
    wait(0.5)
    yield "nothing"
    viewer.window.add_dock_widget(QWidget(), name="empty")
    wait(1)
    clicks = viewer.add_points(ndim=2)
    wait(0.5)
    preview, hovered = (viewer.add_labels(np.zeros((1, 1), np.uint8)) for _ in range(2))
    wait(1)
    yield "open the dock and nano"
    disc = (np.hypot(*np.ogrid[-20:21, -20:21]) < 19).astype(np.uint8)
    hand, (first, *cells) = Hand(viewer), cells_on_screen(30)
    labels = None

    def outline(layer: Any, cell: tuple[float, float]) -> None:
        layer.data, layer.translate = disc, np.subtract(cell, 20)
        wait(0.1)

    outline(hovered, first)
    yield "first hover, encoding"
    for cell in cells[:20]:
        outline(hovered, cell)
    yield "hover, decoding"
    for i, cell in enumerate(cells[20:26]):
        hand.press(cell)
        clicks.data = [cell]
        outline(preview, cell)
        yield "click" if i else "first click"
        if labels is None:
            labels = viewer.add_labels(np.zeros((SIDE, SIDE), np.uint16))
        at = tuple(np.argwhere(disc).T + np.rint(np.subtract(cell, 20)).astype(int)[:, None])
        labels.data_setitem(at, i + 1)
        wait(0.4)
        yield "commit" if i else "first commit"
    for name in OTHER_DOCKS:
        viewer.window.add_dock_widget(QWidget(), name=name)
        wait(1)
        yield f"open the dock {name}"
    viewer.reset_view()
    wait(0.5)
    yield "show the whole image"
    before = labels.data[where]
    labels.data[where] = truth[where]
    labels.refresh()
    wait(1)
    yield "keep all cells"
    labels.data[where] = before
    labels.refresh()
    wait(1)
    yield "take them back"
    viewer.add_image(stack, contrast_limits=(0, 255), name="stack")
    wait(2)
    yield "open a stack"
    viewer.layers.remove(clicks)
    viewer.add_points(ndim=3)
    preview.data = np.zeros((1, 1, 1), np.uint8)
    wait(2)
    yield "segment the stack"


def table_of(labels: NDArray[Any]) -> MaskTable:
    """Return the objects in labels."""
    boxes = ((label, box) for label, box in enumerate(find_objects(labels), 1) if box)
    return MaskTable.of(
        Mask.from_array(labels[box] == label, box[0].start, box[1].start) for label, box in boxes
    )


def lazy_stack() -> Any:
    """Return 30 planes, each copied when it is looked at."""
    import dask.array as da

    return da.stack([da.from_array(np.asarray(cell_field((SIDE, SIDE))[0]), chunks=512)] * 30)
