"""The libraries of torch, loaded before torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from napari_sam.widgets.import_torch import import_torch, load_libraries
{missing}
assert load_libraries() is {there}
assert "torch" not in sys.modules
import_torch()
assert "torch" in sys.modules
import torch
assert torch.ones(3).sum() == 3
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the import does it")
@pytest.mark.parametrize(
    ("missing", "there"),
    [
        ("", True),
        ("import napari_sam.widgets.import_torch as m; m.LIBRARIES = ('a.so', 'b.so')", False),
    ],
    ids=["there", "under other names"],
)
def test_torch_works_whether_its_libraries_are_found_or_not(missing, there):
    subprocess.run([sys.executable, "-c", CODE.format(missing=missing, there=there)], check=True)
