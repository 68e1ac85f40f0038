"""The canvas of a napari window, and what it drew of layers that are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

if TYPE_CHECKING:
    from napari.components import LayerList


def canvas_of(dock: QWidget) -> QOpenGLWidget | None:
    """Return the canvas of the window that a dock belongs to, floating or not."""
    window = dock.window()
    while not isinstance(window, QMainWindow) and window.parentWidget() is not None:
        window = window.parentWidget().window()
    return window.findChild(QOpenGLWidget)


class OwnContext(QObject):
    """Has what was drawn of a layer deleted in the OpenGL context of the canvas that drew it.

    napari (`VispyCanvas._clean_and_update_scenegraph`) deletes it in whichever is the current one,
    as a rule that of the window around. Mesa's software OpenGL then loses the shader of a program
    that is the only one left (`free_zombie_shaders` unbinds it behind the back of the cache of
    state), and crashes at the next draw.

    Parameters
    ----------
    canvas : QOpenGLWidget
        What it lives as long as.
    layers : LayerList
        Of its viewer.
    """

    def __init__(self, canvas: QOpenGLWidget, layers: LayerList) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        layers.events.removing.connect(self._enter)

    def _enter(self, event: Any = None) -> None:
        from vispy.gloo import gl

        if not self._canvas.isValid():  # nothing has been drawn yet
            return
        self._canvas.makeCurrent()
        # vispy leaves the arrays on that it drew from, and enables those that it needs each time.
        # On without their buffer, they are read at address 0 by drivers for Windows.
        for location in range(gl.glGetParameter(gl.GL_MAX_VERTEX_ATTRIBS)):
            gl.glDisableVertexAttribArray(location)


def delete_in_own_context(dock: QWidget, layers: LayerList) -> None:
    """See `OwnContext`, of which the canvas of a dock's window gets one, if it has none."""
    canvas = canvas_of(dock)
    if canvas is not None and canvas.findChild(OwnContext) is None:
        OwnContext(canvas, layers)
