"""Layers leave the canvas: no crash, and nothing left behind in OpenGL."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from vispy.gloo import gl

from napari_sam.widgets.canvas import canvas_of
from napari_sam.widgets.objects_dock import ObjectsWidget

REMOVING = """
    import faulthandler
    import napari, numpy as np
    from tools.hand import Hand, wait, wait_until
    from napari_sam.widgets.{module} import {kind}

    faulthandler.enable()
    viewer = napari.Viewer()
    lower, upper = (viewer.add_image(np.zeros((60, 80), np.uint8)) for _ in range(2))
    viewer.window.add_dock_widget({kind}(viewer))
    if {is_alone}:  # the dock adds no layers
        viewer.add_points(ndim=2, name="clicks")
    wait_until(lambda: "clicks" in viewer.layers)
    hand = Hand(viewer, pause=0.1)
    hand.move((30, 40))
    for layer in viewer.layers[:0:-1]:
        viewer.layers.remove(layer)
    for _ in range(5):
        lower.refresh()
        wait(0.05)
    hand.move((30, 50))
    viewer.close()
    print("ended")
"""


@pytest.mark.parametrize(
    ("module", "kind", "is_alone"),
    [("segment", "SegmentWidget", False), ("objects_dock", "ObjectsWidget", True)],
)
def test_one_image_is_left_of_several_layers(
    module, kind, is_alone, pytestconfig, tmp_path, monkeypatch
):
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))  # same window each time
    script = textwrap.dedent(REMOVING).format(module=module, kind=kind, is_alone=is_alone)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=pytestconfig.rootpath,
    )
    assert done.stdout.split() == ["ended"], done.stderr
    assert done.returncode == 0, done.stderr


def test_no_array_of_vertices_stays_on_without_its_buffer(window, qtbot):
    dock = window.window.add_dock_widget(ObjectsWidget(window))
    points = window.add_points(np.array([[100.0, 120.0]]))
    qtbot.wait(200)
    window.layers.remove(points)
    canvas_of(dock).makeCurrent()
    on = [
        location
        for location in range(gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS))
        if gl.glGetVertexAttrib(location, gl.GL_VERTEX_ATTRIB_ARRAY_ENABLED)
    ]
    assert window.layers == [window.layers["cells"]]
    assert all(gl.glGetVertexAttrib(at, gl.GL_VERTEX_ATTRIB_ARRAY_BUFFER_BINDING) for at in on)
