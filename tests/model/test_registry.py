from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_sam.model.instance_decoder import InstanceDecoder
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
    """They come with the package, or an address and a whole hash say where and which."""
    for file in spec.files:
        if spec.built_in:
            assert (file.url, file.known_hash) == (None, None)
        else:
            assert re.fullmatch(r"https://[\w./-]+", file.url or "")
            assert re.fullmatch(
                r"sha256:[0-9a-f]{64}|(md5|xxh128):[0-9a-f]{32}", file.known_hash or ""
            )
    assert spec.installed == spec.built_in
    assert not spec.is_custom
    assert spec.licence
    assert spec.description.endswith(".")
    assert len(spec.description) <= 100
    assert spec.architecture.removeprefix("hq_") in ("nano", "mobile", "vit_b", "vit_l", "vit_h")


def test_files_are_told_apart() -> None:
    """By name, by address and by hash."""
    files = [file for spec in list_models() for file in spec.files]
    urls = [file.url for file in files if file.url]
    hashes = [file.known_hash for file in files if file.known_hash]
    assert len({file.name.lower() for file in files}) == len(files)
    assert len(set(urls)) == len(urls) == len(files) - 1
    assert len(set(hashes)) == len(hashes) == len(urls)


def test_decoder_comes_after_the_weights() -> None:
    """micro-sam's models have a second file, and want their own conversion of intensities."""
    for spec in list_models():
        assert [file.name.endswith("_decoder.pt") for file in spec.files] in (
            [False],
            [False, True],
        )
        assert (spec.conversion == "min-max") == (len(spec.files) == 2)


def test_state_follows_the_files(models_folder: Path) -> None:
    spec = find_model("vit_b_lm")
    assert (spec.state, spec.present_bytes, spec.weights) == ("not installed", 0, None)
    models_folder.mkdir()
    spec.files[0].part.write_bytes(bytes(2_000_000))
    assert spec.state == "partly downloaded, 2 of 413 MB"
    spec.files[0].part.rename(spec.files[0].target)
    assert spec.installed and not spec.is_complete  # good for prompts, not for instance maps
    assert spec.state == "installed, but not its instance decoder"
    assert spec.instance_decoder is None
    spec.files[1].target.write_bytes(b"decoder")
    assert (spec.state, spec.present_bytes) == ("installed", 2_000_007)
    assert spec.weights == models_folder / "vit_b_lm.pt"
    assert spec.instance_decoder == models_folder / "vit_b_lm_decoder.pt"


def test_source_says_how_to_go_on_offline() -> None:
    source = find_model("vit_b_lm").source
    assert source.count("https://") == 2
    assert "napari-sam models fetch vit_b_lm" in source
    assert "napari-sam models import PATH" in source


def test_folder_full_of_other_things(models_folder: Path) -> None:
    models_folder.mkdir()
    for name in ("notes.json", "a.pth.json", "b.pth", ".json"):
        (models_folder / name).write_text('{"something": "else"}')
    (models_folder / "folder.json").mkdir()
    (models_folder / "folder").write_text("no weights")
    assert not any(spec.is_custom for spec in list_models())


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
    sizes = [spec.files[0].size_bytes for spec in list_models() if spec.architecture == name]
    assert all(0 <= size - 4 * n_elements < 1000 * n_tensors for size in sizes)


def test_size_of_the_decoder_is_that_of_its_numbers() -> None:
    state = InstanceDecoder().state_dict()
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    decoders = [spec.files[1] for spec in list_models() if len(spec.files) == 2]
    assert {file.size_bytes for file in decoders} == {n_bytes}
    assert not any(file.is_size_exact for file in decoders)
