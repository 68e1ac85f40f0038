"""Reading weights from files, and what is said about files that don't fit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import ClassVar

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch

from napari_sam.model import registry
from napari_sam.model.checkpoint import fill, read_state_dict
from napari_sam.model.load import load_model
from napari_sam.model.nano import Nano
from napari_sam.model.sam import VIT_SIZES, Sam, ViTSize, build_sam

from .comparison import spread


@pytest.fixture(autouse=True)
def small_vit_b(monkeypatch: MonkeyPatch) -> None:
    """Let "vit_b" be a network that fits into a few megabytes."""
    monkeypatch.setitem(VIT_SIZES, "vit_b", ViTSize(16, 2, 2, global_blocks=(1,)))


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    model = build_sam("vit_b", ViTSize(16, 2, 2, global_blocks=(1,)))
    spread(model)
    return model.state_dict()


@pytest.fixture
def checkpoint(weights: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "sam.pth"
    torch.save(weights, path)
    return path


def save(state: dict[str, torch.Tensor], path: Path, form: str) -> None:
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "torch")


@pytest.mark.parametrize("form", ["torch", "old torch", "safetensors"])
def test_weights_come_back(form: str, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "weights of any name"
    save(weights, path, form)

    model = load_model("vit_b", checkpoint=path, device="cpu")

    assert isinstance(model, Sam)
    assert (model.name, model.image_size, model.low_res_size) == ("vit_b", 1024, 256)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    loaded = model.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)


def test_loaded_model_gives_the_same_answer(
    weights: dict[str, torch.Tensor], checkpoint: Path
) -> None:
    built = build_sam("vit_b", VIT_SIZES["vit_b"]).eval()
    built.load_state_dict(weights)
    loaded = load_model("vit_b", checkpoint=checkpoint, device="cpu")
    window = torch.rand(1, 1, 700, 1024)
    box = torch.tensor([[100.0, 50, 300, 400]])
    features = loaded.encode(window)
    assert torch.equal(features.maps[0], built.encode(window).maps[0])
    assert torch.equal(loaded.decode(features, box=box)[0], built.decode(features, box=box)[0])


def test_half_precision_becomes_single(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    torch.save({key: value.half() for key, value in weights.items()}, path)
    loaded = load_model("vit_b", checkpoint=path, device="cpu").state_dict()
    assert all(value.dtype == torch.float32 for value in loaded.values())
    assert all(torch.equal(loaded[key], weights[key].half().float()) for key in weights)


def test_nano_is_built_in(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    weights = Nano().state_dict()
    path = tmp_path / "nano.safetensors"
    half = {
        key: value.half() if value.is_floating_point() else value for key, value in weights.items()
    }
    safetensors.torch.save_file(half, path)
    monkeypatch.setattr(registry, "built_in_weights", lambda name: path)

    loaded = load_model(device="cpu").state_dict()

    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[key], half[key].to(weights[key].dtype)) for key in weights)


def test_weights_are_in_memory_once(checkpoint: Path) -> None:
    """The network uses the tensors that were read, rather than copies."""
    state = read_state_dict(checkpoint)
    with torch.device("meta"):
        model = build_sam("vit_b", VIT_SIZES["vit_b"])
    fill(model, state, source="sam.pth")
    assert all(
        value.data_ptr() == state[key].data_ptr() for key, value in model.state_dict().items()
    )


def test_changed_bits_are_noticed(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match=r"sam\.pth is damaged .*the checksum of its part"):
        load_model("vit_b", checkpoint=checkpoint)


@pytest.mark.parametrize("kept", [0, 1, 1000, -1000])
@pytest.mark.parametrize("form", ["torch", "old torch", "safetensors"])
def test_truncated_file(
    form: str, kept: int, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "sam.pth"
    save(weights, path, form)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"sam\.pth .*(damaged|not a file of weights).*\(375 MB\)"):
        load_model("vit_b", checkpoint=path, device="cpu")


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@pytest.mark.parametrize("form", ["torch", "old torch", "safetensors"])
@pytest.mark.filterwarnings("ignore")  # the readers wonder about some of these files
def test_any_other_byte_is_read_or_refused(
    form: str, at: float, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.pth"
    save({"weight": torch.ones(3), "bias": torch.ones(2)}, path, form)
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] = byte
    path.write_bytes(content)
    try:
        state = read_state_dict(path)
    except ValueError as error:
        assert str(error).startswith("changed.pth ")
    else:
        assert all(isinstance(value, torch.Tensor) for value in state.values())


def test_download_that_is_a_web_page(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    path.write_text("<!DOCTYPE html><title>Quota exceeded</title>")
    with pytest.raises(ValueError, match=r"not a file of weights: it begins with b'<!DOCTYP"):
        load_model("vit_b", checkpoint=path)


class Foreign:
    """Runs code when it is unpickled."""

    ran: ClassVar[list[str]] = []

    def __reduce__(self) -> tuple[object, ...]:
        return note_that_it_ran, ()


def note_that_it_ran() -> None:
    Foreign.ran.append("")


@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_code_is_not_run(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    content = {"model_state": {}, "init": Foreign()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"training\.pt holds the Python object .*Nothing of it"):
        load_model("vit_b", checkpoint=path)
    assert Foreign.ran == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bare_pickle_is_not_run(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "state.pkl"
    path.write_bytes(pickle.dumps(Foreign(), protocol))
    with pytest.raises(ValueError, match=r"state\.pkl (holds|is not a file of weights)"):
        load_model("vit_b", checkpoint=path)
    assert Foreign.ran == []


@pytest.mark.parametrize("content", [{"model": {"x": torch.ones(1)}, "epoch": 3}, [torch.ones(1)]])
def test_file_of_something_else(content: object, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"other\.pt holds .*expected named tensors"):
        load_model("vit_b", checkpoint=path)


def test_misfits_are_named(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    wrong = dict(weights)
    wrong["image_encoder.pos_embed"] = torch.zeros(1, 32, 32, 16)
    for i in range(5):
        del wrong[f"mask_decoder.iou_prediction_head.layers.{i // 2}.{('weight', 'bias')[i % 2]}"]
    wrong["mask_decoder.hf_token.weight"] = torch.zeros(1, 256)
    path = tmp_path / "sam.pth"
    torch.save(wrong, path)
    with pytest.raises(ValueError, match=r"sam\.pth does not fit") as caught:
        load_model("vit_b", checkpoint=path)
    sentence = str(caught.value)
    assert "image_encoder.pos_embed is (1, 32, 32, 16), expected (1, 64, 64, 16)" in sentence
    assert "missing: mask_decoder.iou_prediction_head.layers.0.weight," in sentence
    assert "and 2 more" in sentence
    assert "unexpected: mask_decoder.hf_token.weight" in sentence


def test_integers_are_not_weights(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    key = "image_encoder.pos_embed"
    torch.save(weights | {key: weights[key].to(torch.int8)}, path)
    with pytest.raises(ValueError, match=r"pos_embed is .* torch\.int8, expected"):
        load_model("vit_b", checkpoint=path)


def test_model_that_is_not_installed() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"vit_h is not installed\. .*\(2565 MB\).*https://"
    ):
        load_model("vit_h")


def test_nano_without_its_file(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "built_in_weights", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"nano is not installed\. .*reinstall"):
        load_model("nano")


def test_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.pth.*https://"):
        load_model("vit_b", checkpoint=tmp_path / "nowhere.pth")


def test_unknown_model() -> None:
    with pytest.raises(ValueError, match=r"no model 'sam'; there are nano, vit_b, vit_l, vit_h"):
        load_model("sam")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "xla"])
def test_unknown_device(device: str) -> None:
    with pytest.raises(ValueError, match=rf"device is '{device}'"):
        load_model("vit_b", checkpoint="any", device=device)
