from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from napari_sam.model.registry import ModelSpec, find_model, list_models
from napari_sam.model.sam import VIT_SIZES, build_sam


def test_registry_needs_no_torch() -> None:
    code = "import sys, napari_sam as ns; ns.list_models(); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_names_are_unique_and_nano_comes_first() -> None:
    names = [spec.name for spec in list_models()]
    assert names[0] == "nano"
    assert len(set(names)) == len(names)
    assert all(find_model(name).name == name for name in names)


@pytest.mark.parametrize("spec", list_models(), ids=lambda spec: spec.name)
def test_weights_can_be_had(spec: ModelSpec) -> None:
    """They come with the package, or an address and a whole SHA-256 say where and which."""
    if spec.built_in:
        assert (spec.url, spec.sha256) == (None, None)
    else:
        assert spec.url is not None
        assert spec.url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", spec.sha256 or "")
        assert not spec.installed
    assert spec.licence
    assert spec.description.endswith(".")


@pytest.mark.parametrize(
    ("name", "n_tensors", "n_elements"),
    [
        ("vit_b", 314, 93_735_728),
        ("vit_l", 482, 312_343_088),
        ("vit_h", 594, 641_090_864),
    ],
)
def test_size_is_that_of_the_published_file(name: str, n_tensors: int, n_elements: int) -> None:
    with torch.device("meta"):
        state = build_sam(name, VIT_SIZES[name]).state_dict()
    assert len(state) == n_tensors
    assert sum(tensor.numel() for tensor in state.values()) == n_elements
    # The file adds names and padding to four bytes a number.
    assert 0 < find_model(name).size_bytes - 4 * n_elements < 1000 * n_tensors
