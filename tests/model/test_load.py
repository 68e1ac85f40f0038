"""From a name or a file to a network that answers, and what is said when there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from pytest import MonkeyPatch

from napari_sam.model import load, registry
from napari_sam.model.load import load_model
from napari_sam.model.nano import Nano
from napari_sam.model.registry import ModelSpec, WeightFile
from napari_sam.model.sam import VIT_SIZES, Sam

from .files import IMAGE_SIZE, VIT, State, save, small_decoder, small_sam, training_state

CPU: dict[str, Any] = {"device": "cpu", "precision": "float32"}
"""The same on all machines."""


@pytest.fixture(autouse=True)
def small_vit_b(monkeypatch: MonkeyPatch) -> None:
    """Let "vit_b" be a network of about a megabyte."""
    monkeypatch.setitem(VIT_SIZES, "vit_b", VIT)


@pytest.fixture(scope="module")
def sam() -> Sam:
    return small_sam()


@pytest.fixture
def checkpoint(sam: Sam, tmp_path: Path) -> Path:
    torch.save(sam.state_dict(), tmp_path / "sam.pth")
    return tmp_path / "sam.pth"


def assert_filled(model: Any, weights: State) -> None:
    loaded = model.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name].to(loaded[name])) for name in weights)


@pytest.mark.parametrize("name", ["vit_b", None])
@pytest.mark.parametrize("form", ["torch", "old torch", "safetensors"])
def test_a_checkpoint_is_loaded(form: str, name: str | None, sam: Sam, tmp_path: Path) -> None:
    path = tmp_path / "mine.bin"
    save(sam.state_dict(), path, form)
    model = load_model(name, checkpoint=path, **CPU)
    assert isinstance(model, Sam)
    assert (model.name, model.image_size) == (name or "mine", IMAGE_SIZE)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert_filled(model, sam.state_dict())
    assert model.weights_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (model.conversion, model.has_instance_maps) == ("percentiles", False)


@pytest.mark.parametrize("hq", [False, True])
def test_a_loaded_model_gives_the_same_answer(hq: bool, tmp_path: Path) -> None:
    built = small_sam(hq=hq)
    torch.save(built.state_dict(), tmp_path / "sam.pth")
    loaded = load_model(checkpoint=tmp_path / "sam.pth", **CPU)
    window = torch.rand(1, 1, 50, IMAGE_SIZE)
    box = torch.tensor([[10.0, 5, 30, 40]])
    features, expected = loaded.encode(window), built.encode(window)
    assert all(torch.equal(a, b) for a, b in zip(features.maps, expected.maps, strict=True))
    assert torch.equal(loaded.decode(features, box=box)[0], built.decode(expected, box=box)[0])


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(precision: torch.dtype, sam: Sam, tmp_path: Path) -> None:
    half = {name: value.to(precision) for name, value in sam.state_dict().items()}
    torch.save(half, tmp_path / "half.pth")
    loaded = load_model("vit_b", checkpoint=tmp_path / "half.pth", **CPU)
    assert all(value.dtype == torch.float32 for value in loaded.state_dict().values())
    assert_filled(loaded, half)


def test_micro_sams_training_files(sam: Sam, tmp_path: Path) -> None:
    decoder = small_decoder()
    path = tmp_path / "best.pt"
    torch.save(training_state(sam.state_dict(), decoder.state_dict()), path)
    model = load_model(checkpoint=path, **CPU)
    assert (model.conversion, model.has_instance_maps) == ("min-max", True)
    features = model.encode(torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE))
    with torch.inference_mode():
        expected = decoder(features.maps[0])
    torch.testing.assert_close(model.instance_maps(features), expected)
    assert expected.shape == (2, 3, IMAGE_SIZE, IMAGE_SIZE)


def registered(monkeypatch: MonkeyPatch, folder: Path, *names: str) -> None:
    """Let micro-sam's "cells" consist of files in a folder."""
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(folder))
    files = tuple(WeightFile(name, f"https://example.org/{name}", 1000) for name in names)
    spec = ModelSpec("cells", "Cells.", "vit_b", "MIT", files, conversion="min-max")
    monkeypatch.setattr(registry, "published", lambda: (spec,))


def test_installed_files_with_a_decoder_of_its_own(
    sam: Sam, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    registered(monkeypatch, tmp_path, "cells.pt", "cells_decoder.pt")
    with pytest.raises(
        FileNotFoundError,
        match=r"cells is not installed\. .*models fetch cells.*dock Models.*check",
    ):
        load_model("cells")
    decoder = small_decoder()
    torch.save(sam.state_dict(), tmp_path / "cells.pt")
    torch.save(decoder.state_dict(), tmp_path / "cells_decoder.pt")

    model = load_model("cells", **CPU)

    assert (model.name, model.conversion, model.has_instance_maps) == ("cells", "min-max", True)
    # What is stored of an image does not depend on the decoder.
    assert model.weights_hash == hashlib.sha256((tmp_path / "cells.pt").read_bytes()).hexdigest()


def test_installed_files_that_were_changed(
    sam: Sam, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    registered(monkeypatch, tmp_path, "cells.pt")
    path = tmp_path / "cells.pt"
    torch.save(sam.state_dict(), path)
    monkeypatch.setattr(load, "check", reject)
    with pytest.raises(ValueError, match="was changed or damaged"):
        load_model("cells", **CPU)


def reject(path: Path) -> str:
    raise ValueError(f"{path} was changed or damaged since it was installed.")


def test_nano_is_built_in(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    weights = Nano().state_dict()
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in weights.items()
    }
    path = tmp_path / "nano.safetensors"
    safetensors.torch.save_file(half, path)
    monkeypatch.setattr(registry, "built_in_weights", lambda name: path)
    model = load_model(**CPU)
    assert (model.name, model.has_instance_maps) == ("nano", True)
    assert model.weights_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert_filled(model, half)
    assert_filled(load_model(checkpoint=path, **CPU), half)


def test_nano_without_its_file(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "built_in_weights", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"nano is not installed\. .*reinstall it\.$"):
        load_model("nano")


def test_a_name_is_compared_with_the_checkpoint(checkpoint: Path) -> None:
    for name in ("vit_l", "nano", "hq_vit_b"):
        with pytest.raises(
            ValueError, match=rf"sam\.pth .* the kind vit_b, but {name} is of the kind {name}"
        ) as told:
            load_model(name, checkpoint=checkpoint, **CPU)
        assert "reinstall" not in str(told.value)


@pytest.mark.parametrize("kept", [0, 1000, -1000])
def test_a_file_that_is_half_there(kept: int, checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"sam\.pth is (damaged|empty).*\(375 MB\).*models fetch"):
        load_model("vit_b", checkpoint=checkpoint, **CPU)
    with pytest.raises(ValueError, match=r"sam\.pth is (damaged|empty)"):
        load_model(checkpoint=checkpoint, **CPU)


def test_what_is_missing_from_a_checkpoint(sam: Sam, tmp_path: Path) -> None:
    weights = sam.state_dict()
    del weights["prompt_encoder.no_mask_embed.weight"]
    torch.save(weights | {"extra": torch.ones(1)}, tmp_path / "sam.pth")
    with pytest.raises(ValueError, match=r"sam\.pth does not fit .*no_mask_embed.*ected: extra"):
        load_model(checkpoint=tmp_path / "sam.pth", **CPU)


def test_what_is_wrong_with_an_instance_decoder(sam: Sam, tmp_path: Path) -> None:
    decoder = small_decoder().state_dict()
    del decoder["deconv3.block.2.running_var"]
    torch.save({"model_state": sam.state_dict(), "decoder_state": decoder}, tmp_path / "sam.pt")
    with pytest.raises(
        ValueError, match=r"missing: instance_decoder\.deconv3\.block\.2\.running_v"
    ):
        load_model(checkpoint=tmp_path / "sam.pt", **CPU)


def test_layers_of_an_instance_decoder_of_other_kinds(sam: Sam, tmp_path: Path) -> None:
    decoder = small_decoder().state_dict() | {"out_conv.weight": torch.ones(3)}
    torch.save({"model_state": sam.state_dict(), "decoder_state": decoder}, tmp_path / "sam.pt")
    with pytest.raises(
        ValueError, match=r"decoder in sam\.pt has shape \(3,\); expected \(any, any"
    ):
        load_model(checkpoint=tmp_path / "sam.pt", **CPU)


def test_model_that_is_not_installed(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(tmp_path))
    with pytest.raises(
        FileNotFoundError,
        match=r"vit_h is not installed\. .*\(2565 MB\).*https://.*models fetch vit_h.*checkpoint=",
    ):
        load_model("vit_h")


def test_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.pth.*https://"):
        load_model("vit_b", checkpoint=tmp_path / "nowhere.pth")
    with pytest.raises(FileNotFoundError, match=r"is a folder"):
        load_model(checkpoint=tmp_path)


def test_unknown_model() -> None:
    with pytest.raises(ValueError, match=r"no model 'sam'; there are nano, vit_b, vit_l, vit_h"):
        load_model("sam")


def test_a_file_is_no_name() -> None:
    with pytest.raises(ValueError, match=r"no model 'my\.pth'.*checkpoint=PATH"):
        load_model("my.pth")


def test_unknown_precision_is_told_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match=r"precision is 'int8'; expected .auto., .float32."):
        load_model(checkpoint="nowhere.pth", precision="int8")  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "xla"])
def test_unknown_device(device: str) -> None:
    with pytest.raises(ValueError, match=rf"device is '{device}'"):
        load_model("vit_b", checkpoint="any", device=device)
