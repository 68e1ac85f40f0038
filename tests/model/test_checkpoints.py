"""Reading weights from files, and what is said about files that are something else."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import subprocess
import zipfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.model.checkpoint import (
    fill,
    published_name,
    read_checkpoint,
    read_instance_decoder,
)
from napari_sam.model.torch_file import InertObject

from .files import State, save, small_decoder, small_sam, training_state

FORMS = ["torch", "old torch", "safetensors"]


@pytest.fixture(scope="module")
def weights() -> State:
    return small_sam().state_dict()


@pytest.fixture(scope="module")
def decoder() -> State:
    return small_decoder().state_dict()


def assert_same(found: State | None, expected: State) -> None:
    assert found is not None
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("form", FORMS)
def test_weights_come_back(form: str, weights: State, tmp_path: Path) -> None:
    path = tmp_path / "weights of any name"
    save(weights, path, form)
    checkpoint = read_checkpoint(path)
    assert_same(checkpoint.weights, weights)
    assert checkpoint.instance_decoder is None
    assert not checkpoint.is_micro_sam


def test_files_that_micro_sam_exports(weights: State, decoder: State, tmp_path: Path) -> None:
    torch.save({"model_state": weights, "decoder_state": decoder}, tmp_path / "both.pt")
    checkpoint = read_checkpoint(tmp_path / "both.pt")
    assert_same(checkpoint.weights, weights)
    assert_same(checkpoint.instance_decoder, decoder)
    assert checkpoint.is_micro_sam


def test_files_that_micro_sam_trains(weights: State, decoder: State, tmp_path: Path) -> None:
    """They name classes that are not here, and hold much beside the weights."""
    torch.save(training_state(weights, decoder), tmp_path / "best.pt")
    content = (tmp_path / "best.pt").read_bytes()
    assert b"Dataset" in content
    assert b"AdamW" in content
    checkpoint = read_checkpoint(tmp_path / "best.pt")
    assert_same(checkpoint.weights, weights)
    assert_same(checkpoint.instance_decoder, decoder)
    assert checkpoint.is_micro_sam


def test_an_instance_decoder_of_its_own_file(decoder: State, tmp_path: Path) -> None:
    torch.save(decoder, tmp_path / "decoder.pt")
    torch.save({"model_state": {}, "decoder_state": decoder}, tmp_path / "both.pt")
    assert_same(read_instance_decoder(tmp_path / "decoder.pt"), decoder)
    assert_same(read_instance_decoder(tmp_path / "both.pt"), decoder)


def test_decoder_and_model_are_not_confused(weights: State, decoder: State, tmp_path: Path) -> None:
    torch.save(decoder, tmp_path / "decoder.pt")
    torch.save(weights, tmp_path / "sam.pt")
    whole = {f"encoder.{name}": value for name, value in weights.items()} | decoder
    torch.save({"model_state": whole}, tmp_path / "unetr.pt")
    with pytest.raises(ValueError, match=r"decoder\.pt holds only micro-sam's network for auto"):
        read_checkpoint(tmp_path / "decoder.pt")
    with pytest.raises(ValueError, match=r"unetr\.pt holds the whole of micro-sam's network"):
        read_checkpoint(tmp_path / "unetr.pt")
    with pytest.raises(ValueError, match=r"sam\.pt holds no instance decoder .*image_encoder\.pos"):
        read_instance_decoder(tmp_path / "sam.pt")


@pytest.mark.parametrize(
    "name",
    [
        "module.sam.image_encoder.x",
        "sam.module.image_encoder.x",
        "_orig_mod.sam.image_encoder.x",
        "sam._orig_mod.image_encoder.x",
        "sam.image_encoder._orig_mod.x",
        "image_encoder.x",
    ],
)
def test_names_of_training_become_the_published_ones(name: str) -> None:
    assert published_name(name) == "image_encoder.x"


def test_two_networks_in_one_file_are_refused(tmp_path: Path) -> None:
    torch.save({"sam.x": torch.ones(1), "x": torch.zeros(1)}, tmp_path / "two.pt")
    with pytest.raises(ValueError, match=r"two\.pt holds two networks"):
        read_checkpoint(tmp_path / "two.pt")


class Call:
    """Is pickled as the call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


class AsState:
    """Has a state that would run when it is restored."""

    def __init__(self, inner: object) -> None:
        self.inner = inner


MARKER = Path("it_ran")

ATTACKS = {
    "os.system": Call(os.system, f"touch {MARKER}"),
    "subprocess": Call(subprocess.Popen, ["touch", str(MARKER)]),
    "eval": Call(eval, f"open({str(MARKER)!r}, 'w')"),
    "exec": Call(exec, f"open({str(MARKER)!r}, 'w')"),
    "open": Call(open, str(MARKER), "w"),
    "getattr": Call(getattr, Call(__import__, "os"), "system"),
    "nested": [{"a": (AsState(Call(eval, f"open({str(MARKER)!r}, 'w')")),)}],
    "as key": {Call(open, str(MARKER), "w"): 1},
    "from torch": Call(torch.load, str(MARKER)),
    "in torch": Call(torch._tensor._rebuild_from_type_v2, open, torch.Tensor, (MARKER, "w"), None),
    "default": defaultdict(list, {1: Call(open, str(MARKER), "w")}),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
@pytest.mark.parametrize("place", ["alone", "as weights", "beside weights", "in training"])
@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_code_is_not_run(
    attack: object,
    place: str,
    zipped: bool,
    weights: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = {
        "alone": attack,
        "as weights": {"image_encoder.pos_embed": attack},
        "beside weights": weights | {"x": attack},
        "in training": training_state(weights) | {"init": attack},
    }[place]
    monkeypatch.chdir(tmp_path)
    torch.save(content, "model.pt", _use_new_zipfile_serialization=zipped)
    try:
        checkpoint = read_checkpoint("model.pt")
    except ValueError as error:
        assert str(error).startswith("model.pt ")
    else:
        assert place == "in training"
        assert_same(checkpoint.weights, weights)
    assert not MARKER.exists()


PICKLED = {
    "call of what a call returned": b"cbuiltins\ngetattr\ncos\npopen\nX\x02\x00\x00\x00id\x86R)R",
    "state of a class": b"cbuiltins\nprint\n}X\x01\x00\x00\x00aK\x01sb",
    "state of a function": b"ctorch._utils\n_rebuild_tensor\n}X\x01\x00\x00\x00aK\x01sb",
    "older form of a call": b"(X\x02\x00\x00\x00idios\nsystem\n",
}
"""What no object is pickled to, but an attacker can write by hand."""


def write_pickle(path: Path, pickled: bytes) -> None:
    """Write a torch file of a pickle, with right checksums."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(12))


@pytest.mark.parametrize("pickled", PICKLED.values(), ids=list(PICKLED))
def test_pickles_written_by_hand(pickled: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    write_pickle(path, b"\x80\x02}X\x0b\x00\x00\x00model_state" + pickled + b"s.")
    with pytest.raises(ValueError, match=r"^model\.pt "):
        read_checkpoint(path)


@pytest.fixture(scope="module")
def pickled_attacks(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The pickle of a training checkpoint that is read, and whose attacks come to nothing."""
    path = tmp_path_factory.mktemp("attacks") / "model.pt"
    init = [attack for name, attack in ATTACKS.items() if name not in ("os.system", "in torch")]
    torch.save({"model_state": {"sam.x": torch.zeros(3)}, "init": init}, path)
    with zipfile.ZipFile(path) as archive:
        pickled = archive.read("model/data.pkl")
    write_pickle(path, pickled)
    assert read_checkpoint(path).weights.keys() == {"x"}
    return pickled


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@pytest.mark.filterwarnings("ignore")
def test_a_pickle_with_any_other_byte_runs_nothing(
    at: float, byte: int, pickled_attacks: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Here the checksums are right."""
    changed = bytearray(pickled_attacks)
    changed[int(at * len(changed))] = byte
    with contextlib.chdir(tmp_path_factory.getbasetemp()):
        write_pickle(Path("changed.pt"), bytes(changed))
        try:
            checkpoint = read_checkpoint("changed.pt")
        except ValueError as error:
            assert str(error).startswith("changed.pt ")
        else:
            assert all(isinstance(value, torch.Tensor) for value in checkpoint.weights.values())
        assert not MARKER.exists()


def test_code_is_named(weights: State, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(training_state(weights) | {"init": ATTACKS["os.system"]}, path)
    with pytest.raises(
        ValueError, match=r"model\.pt holds the Python object \w+\.system, .*Nothin"
    ):
        read_checkpoint(path)
    torch.save({"weights": ATTACKS["eval"]}, path)
    with pytest.raises(ValueError, match=r"holds the Python object builtins\.eval; .*Nothing of"):
        read_checkpoint(path)


class OwnDict(dict[str, int]):
    """Only a real one could be filled."""


def test_objects_that_cannot_be_left_out(weights: State, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(training_state(weights) | {"init": OwnDict(a=1)}, path)
    with pytest.raises(ValueError, match=r"model\.pt holds Python objects.*weights alone"):
        read_checkpoint(path)


def test_what_was_left_out_once_is_not_allowed_later(weights: State, tmp_path: Path) -> None:
    """What torch's reader may make is one list for the whole process."""
    torch.save(training_state(weights), tmp_path / "best.pt")
    with ThreadPoolExecutor() as pool:
        for checkpoint in pool.map(read_checkpoint, [tmp_path / "best.pt"] * 8):
            assert_same(checkpoint.weights, weights)
    allowed = [one for one in torch.serialization.get_safe_globals() if isinstance(one, type)]
    assert not any(issubclass(one, InertObject) for one in allowed)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "best.pt", weights_only=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bare_pickle_is_not_run(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "state.pkl"
    path.write_bytes(pickle.dumps(ATTACKS["os.system"], protocol))
    with pytest.raises(ValueError, match=r"state\.pkl (holds|is not a file of weights)"):
        read_checkpoint(path)
    assert not MARKER.exists()


def test_only_the_weights_stay_in_memory(weights: State, tmp_path: Path) -> None:
    """Tensors are mapped from the file: what is not used is never read into memory."""
    path = tmp_path / "best.pt"
    torch.save(training_state(weights) | {"optimizer_state": torch.ones(50_000_000)}, path)
    peak_bytes()
    before = peak_bytes()
    checkpoint = read_checkpoint(path)
    assert peak_bytes() - before < 100e6
    assert_same(checkpoint.weights, weights)


def peak_bytes() -> int:
    """Most memory that this process has had since it was last asked."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        reset.write_text("5")
    except OSError:
        found = None
    if found is None:
        pytest.skip("memory is measured on Linux")
    return 1024 * int(found[1])


def test_changed_bits_are_noticed(weights: State, tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    torch.save(weights, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"sam\.pth is damaged .*the checksum of its part"):
        read_checkpoint(path)


@pytest.mark.parametrize("kept", [0, 1, 1000, -1000])
@pytest.mark.parametrize("form", FORMS)
def test_truncated_file(form: str, kept: int, weights: State, tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    save(weights, path, form)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"sam\.pth is (damaged|not a file of weights|empty)"):
        read_checkpoint(path)


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@pytest.mark.parametrize("form", FORMS)
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
        checkpoint = read_checkpoint(path)
    except ValueError as error:
        assert str(error).startswith("changed.pth ")
    else:
        assert all(isinstance(value, torch.Tensor) for value in checkpoint.weights.values())


def test_download_that_is_a_web_page(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    path.write_text("<!DOCTYPE html><title>Quota exceeded</title>")
    with pytest.raises(ValueError, match=r"not a file of weights: it begins with b'<!DOCTYP"):
        read_checkpoint(path)


def test_archive_that_was_packed_again(weights: State, tmp_path: Path) -> None:
    """Compressed numbers would be read as numbers."""
    torch.save(weights, tmp_path / "sam.pth")
    with (
        zipfile.ZipFile(tmp_path / "sam.pth") as original,
        zipfile.ZipFile(tmp_path / "again.pth", "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for name in original.namelist():
            again.writestr(name, original.read(name))
    with pytest.raises(ValueError, match=r"again\.pth was packed again, with compression"):
        read_checkpoint(tmp_path / "again.pth")


def test_archives_of_other_things(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr("rdf.yaml", "name: x")
        archive.writestr("vit_b.pt", b"x")
    with pytest.raises(
        ValueError, match=r"zip archive of other things: rdf\.yaml, vit_b\.pt;.*unp"
    ):
        read_checkpoint(tmp_path / "package.zip")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
        archive.writestr("archive/constants.pkl", b"x")
    with pytest.raises(ValueError, match=r"script\.pt is a TorchScript program"):
        read_checkpoint(tmp_path / "script.pt")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere\.pth"):
        read_checkpoint(tmp_path / "nowhere.pth")
    with pytest.raises(FileNotFoundError, match=r"is a folder; expected a file of weights"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"epoch": 3, "model": {"x": torch.ones(1)}},
            r"epoch, model; expected .* If 'model' holds",
        ),
        ([torch.ones(1)], r"holds a list; expected named tensors"),
        (torch.ones(1), r"holds a Tensor; expected named tensors"),
        ({"model_state": [torch.ones(1)]}, r"holds a list; expected named tensors"),
        ({"model_state": {"x": 1}}, r"more than tensors: x"),
        ({"model": {"image_encoder.trunk.pos_embed": torch.ones(1)}}, r"is a SAM 2 model"),
    ],
)
def test_file_of_something_else(content: object, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf"other\.pt .*{sentence}"):
        read_checkpoint(path)


@pytest.mark.parametrize("form", FORMS)
def test_weights_stay_when_the_file_changes(form: str, weights: State, tmp_path: Path) -> None:
    """As when training goes on and writes its next epoch in the same place."""
    save(weights, path := tmp_path / "best.pt", form)
    model = small_sam(seed=1).to("meta")
    fill(model, read_checkpoint(path).weights, source="best.pt")
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert_same(model.state_dict(), weights)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers(value: float, weights: State) -> None:
    key = "image_encoder.pos_embed"
    with pytest.raises(ValueError, match=rf"best\.pt holds NaN or infinite .*: {key}\. Take"):
        fill(small_sam(), weights | {key: weights[key] + value}, "best.pt")


def test_names_without_values(weights: State, tmp_path: Path) -> None:
    torch.save({key: value.to("meta") for key, value in weights.items()}, tmp_path / "sam.pth")
    model = small_sam().to("meta")
    with pytest.raises(ValueError, match=r"sam\.pth does not fit .* missing: image_encoder"):
        fill(model, read_checkpoint(tmp_path / "sam.pth").weights, "sam.pth")


def test_misfits_are_named(weights: State) -> None:
    wrong = dict(weights)
    wrong["image_encoder.pos_embed"] = torch.zeros(1, 32, 32, 16)
    for i in range(5):
        del wrong[f"mask_decoder.iou_prediction_head.layers.{i // 2}.{('weight', 'bias')[i % 2]}"]
    wrong["mask_decoder.hf_token.weight"] = torch.zeros(1, 256)
    with pytest.raises(ValueError, match=r"sam\.pth does not fit") as caught:
        fill(small_sam(), wrong, "sam.pth")
    sentence = str(caught.value)
    assert "image_encoder.pos_embed is (1, 32, 32, 16), expected (1, 4, 4, 16)" in sentence
    assert "missing: mask_decoder.iou_prediction_head.layers.0.weight," in sentence
    assert "and 2 more" in sentence
    assert "unexpected: mask_decoder.hf_token.weight" in sentence


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda tensor: tensor.to(torch.int8), r"torch\.int8"),
        (lambda tensor: tensor.to_sparse(), r"torch\.sparse_coo"),
    ],
)
def test_other_kinds_of_numbers_are_no_weights(change: Any, found: str, weights: State) -> None:
    key = "image_encoder.pos_embed"
    with pytest.raises(ValueError, match=rf"pos_embed is .* {found}, expected"):
        fill(small_sam(), weights | {key: change(weights[key])}, "sam.pth")
