"""What docks are made of is imported before they are opened."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
from napari_sam.widgets.docks import iter_imports
for _ in iter_imports():
    pass
before = set(sys.modules)
import napari_sam.widgets.automatic, napari_sam.widgets.objects_dock
assert "torch" not in before
assert not set(sys.modules) - before
"""


def test_docks_import_nothing_more_when_they_are_opened():
    subprocess.run([sys.executable, "-c", CHECK], check=True)
