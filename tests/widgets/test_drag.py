"""What is drawn with the mouse."""

from __future__ import annotations

import pytest

from napari_sam.widgets.drag import BoxDrag, LassoDrag, ScribbleDrag
from napari_sam.widgets.spot import Spot


@pytest.mark.parametrize(
    ("kind", "is_positive"), [(ScribbleDrag, False), (BoxDrag, True), (LassoDrag, True)]
)
def test_only_a_scribble_can_take_away(kind, is_positive):
    """The others look as what they do, whatever key is down."""
    assert kind(Spot((), 3, 4), positive=False).positive is is_positive
