"""OpenVINO computes what torch does, and keeps what it converted."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from pytest import MonkeyPatch
from torch import nn

pytest.importorskip("openvino")

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import openvino_encoder
from napari_sam.model.interrupt import Interrupted, interruptible
from napari_sam.model.load import load_model
from napari_sam.model.openvino_encoder import (
    OpenVINOEncoder,
    converted,
    use_openvino,
)
from napari_sam.model.precision import coin_masks, mean_iou
from napari_sam.model.sam import VIT_SIZES, Sam, ViTSize, build_sam
from napari_sam.model.tiny_vit import TinyViT
from napari_sam.prompts import Prompts
from napari_sam.segment import segment_object

from .comparison import spread

pytestmark = pytest.mark.openvino

HASH = hashlib.sha256(b"weights").hexdigest()
SIZE = 64


def small_sam() -> Sam:
    sam = build_sam("small", ViTSize(16, 3, 2, global_blocks=(1,)), SIZE, channels=32)
    spread(sam)
    sam.weights_hash = HASH
    return sam.eval().requires_grad_(False)


def small_vit() -> nn.Module:
    return small_sam().image_encoder


def small_tiny_vit() -> nn.Module:
    encoder = TinyViT(SIZE, (8, 16, 24, 32), (1, 1, 1, 1), (1, 2, 3, 4), (3, 3, 3, 3), 8)
    spread(encoder)
    for name, buffer in encoder.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return encoder.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vit_form(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A conversion takes seconds: most tests share this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_SAM_MODELS", str(tmp_path_factory.mktemp("models")))
        yield converted(small_vit(), SIZE, HASH)


@pytest.fixture
def form(vit_form: Path, models_folder: Path) -> Path:
    """The form of `small_vit` where it would be looked for."""
    place = models_folder / "openvino" / vit_form.parent.name / vit_form.name
    shutil.copytree(vit_form, place)
    return place


@pytest.fixture
def conversions(monkeypatch: MonkeyPatch) -> list[Path]:
    """Where forms are written to; the test's conversions in order."""
    done = []
    convert = openvino_encoder.convert

    def note(encoder: nn.Module, image_size: int, form: Path) -> None:
        done.append(form)
        convert(encoder, image_size, form)

    monkeypatch.setattr(openvino_encoder, "convert", note)
    return done


def check_parity(encoder: nn.Module, form: Path) -> None:
    images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    answers = OpenVINOEncoder(form, n_threads=1)(images)
    assert [a.dtype for a in answers] == [torch.float32, torch.float32]
    torch.testing.assert_close(answers, encoder(images), rtol=0, atol=1e-4)


def test_parity_of_vit(form: Path) -> None:
    check_parity(small_vit(), form)


def test_parity_of_tiny_vit() -> None:
    encoder = small_tiny_vit()
    check_parity(encoder, converted(encoder, SIZE, HASH))


@pytest.mark.slow
def test_parity_of_vit_b() -> None:
    encoder = build_sam("vit_b", ViTSize(768, 12, 12, (2, 5, 8, 11))).image_encoder
    spread(encoder)
    encoder.eval().requires_grad_(False)
    form = converted(encoder, 1024, HASH)
    images = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(OpenVINOEncoder(form)(images), encoder(images), rtol=0, atol=1e-4)


def test_attention_stays_whole(form: Path) -> None:
    """Rows of queries one by one, which suit torch, would make a conversion of minutes."""
    assert (form / "encoder.xml").read_text().count('type="ScaledDotProductAttention"') == 3


def test_an_unwanted_encoding_is_given_up(form: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_encoder, "POLL_MS", 0)
    encoder = OpenVINOEncoder(form)
    images = torch.randn(1, 3, SIZE, SIZE)
    expected = encoder(images)
    n_done = 0
    for _ in range(20):
        with interruptible(lambda: True), suppress(Interrupted):
            encoder(2 * images)
            n_done += 1
        torch.testing.assert_close(encoder(images), expected, rtol=0, atol=0)
    assert n_done < 20


def test_answers_are_not_overwritten(form: Path) -> None:
    encoder = OpenVINOEncoder(form)
    images = torch.randn(2, 3, SIZE, SIZE)
    first = encoder(images)
    kept = [answer.clone() for answer in first]
    encoder(2 * images)
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


def test_threads_take_turns(form: Path) -> None:
    encoder = OpenVINOEncoder(form)
    images = torch.randn(4, 3, SIZE, SIZE)
    expected = encoder(images)[0]
    found: dict[int, torch.Tensor] = {}

    def embed(i: int) -> None:
        for _ in range(20):
            found[i] = encoder(images[i : i + 1])[0]

    threads = [threading.Thread(target=embed, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.allclose(found[i][0], expected[i], atol=1e-5) for i in range(4))


def test_masks_agree_in_bfloat16(form: Path) -> None:
    sam = small_sam()
    expected = coin_masks(sam)
    assert expected.any()
    sam.image_encoder = OpenVINOEncoder(form, "bfloat16")
    assert mean_iou(coin_masks(sam), expected) >= 0.99


@pytest.mark.parametrize(("iou", "precision"), [(0.9901, "bfloat16"), (0.9899, "float32")])
def test_masks_decide_about_bfloat16(
    iou: float, precision: str, form: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["BF16"])
    monkeypatch.setattr(openvino_encoder, "mean_iou", lambda *_: iou)
    assert use_openvino(small_sam()).image_encoder.precision == precision
    monkeypatch.delattr(openvino_encoder, "coin_masks")  # once is enough
    assert use_openvino(small_sam()).image_encoder.precision == precision


def test_float32_without_hardware_for_bfloat16(form: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["FP32"])
    assert use_openvino(small_sam()).image_encoder.precision == "float32"


def test_one_conversion_is_enough(form: Path, conversions: list[Path]) -> None:
    assert converted(small_vit(), SIZE, HASH) == form
    assert conversions == []


def test_a_form_serves_where_nothing_can_be_written(
    form: Path, conversions: list[Path], monkeypatch: MonkeyPatch
) -> None:
    """As in a folder that is shared by many and kept by one."""
    monkeypatch.setattr("os.access", lambda *_: False)
    assert isinstance(use_openvino(small_sam(), "float32"), Sam)
    assert conversions == []


@pytest.mark.parametrize("file", ["encoder.xml", "encoder.bin", "sha256"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damaged_form_is_converted_again(
    file: str, damage: str, form: Path, monkeypatch: MonkeyPatch
) -> None:
    content = (form / file).read_bytes()
    i = len(content) // 2
    if damage == "gone":
        (form / file).unlink()
    else:
        end = b"" if damage == "cut" else bytes([content[i] ^ 1]) + content[i + 1 :]
        (form / file).write_bytes(content[:i] + end)

    def write(encoder: nn.Module, image_size: int, form: Path) -> None:
        form.mkdir()
        (form / "new").touch()

    monkeypatch.setattr(openvino_encoder, "convert", write)
    assert [path.name for path in converted(small_vit(), SIZE, HASH).iterdir()] == ["new"]


def test_unfinished_conversion_leaves_nothing(
    form: Path, models_folder: Path, monkeypatch: MonkeyPatch
) -> None:
    def give_up(encoder: nn.Module, image_size: int, form: Path) -> None:
        form.mkdir()
        (form / "encoder.xml").touch()
        raise KeyboardInterrupt

    (form.parent / "killed before").mkdir()  # could not tidy up
    (form / "encoder.bin").unlink()
    monkeypatch.setattr(openvino_encoder, "convert", give_up)
    with pytest.raises(KeyboardInterrupt):
        converted(small_vit(), SIZE, HASH)
    assert list(form.parent.iterdir()) == []


def test_another_version_replaces_the_form(form: Path, conversions: list[Path]) -> None:
    form.rename(form.with_name("0.0.1 2020.1.0"))
    assert converted(small_vit(), SIZE, HASH) == form
    assert len(conversions) == 1
    assert list(form.parent.iterdir()) == [form]
    check_parity(small_vit(), form)


def test_forms_that_nobody_uses_are_removed(form: Path, conversions: list[Path]) -> None:
    """Else every checkpoint that was ever tried would stay on the disk."""
    unused, used = (form.parents[1] / (16 * name) / form.name for name in ("ab", "cd"))
    shutil.copytree(form, unused)
    shutil.copytree(form, used)
    for path in (unused, form):
        os.utime(path, (0, 0))
    converted(small_vit(), SIZE, HASH)  # is there: used now
    converted(small_vit(), SIZE, "0" * 64)
    assert len(conversions) == 1
    assert form.is_dir() and used.is_dir() and not unused.exists()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(small_sam().state_dict(), tmp_path / "sam.pth")
    return tmp_path / "sam.pth"


@pytest.mark.parametrize("device", ["openvino", "auto"])
def test_from_a_checkpoint_to_an_object(
    device: str, checkpoint: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setitem(VIT_SIZES, "vit_b", ViTSize(16, 3, 2, global_blocks=(1,)))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["FP32"])
    model = load_model(checkpoint=checkpoint, device=device)
    assert isinstance(model, Sam)
    assert isinstance(model.image_encoder, OpenVINOEncoder)
    assert model.device.type == "cpu"
    assert not any(name.startswith("image_encoder.") for name in model.state_dict())

    image = open_image(np.random.default_rng(0).integers(0, 255, (100, 150), np.uint8))
    exact = load_model(checkpoint=checkpoint, device="cpu")
    masks = [
        segment_object(Embeddings(image, network), Prompts([(40, 60)])).best.to_array((100, 150))
        for network in (model, exact)
    ]
    assert (masks[0] != masks[1]).mean() < 0.001


def test_auto_does_without_a_folder_that_can_be_written(
    checkpoint: Path, models_folder: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    models_folder.write_text("a file where the folder should be")
    model = load_model(checkpoint=checkpoint, device="auto")
    assert isinstance(model, Sam)
    assert not isinstance(model.image_encoder, OpenVINOEncoder)
    with pytest.raises(OSError, match="can't be written"):
        load_model(checkpoint=checkpoint, device="openvino")


def test_auto_does_without_openvino_where_that_fails(
    checkpoint: Path, monkeypatch: MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Operation aten::foo is unknown.\nA trace of it follows.")

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr(openvino_encoder, "convert", fail)
    with pytest.warns(match=r"OpenVINO does not run .*, which goes .*: Operation aten::foo is unk"):
        model = load_model(checkpoint=checkpoint, device="auto")
    assert isinstance(model, Sam)
    assert not isinstance(model.image_encoder, OpenVINOEncoder)
    model.encode(torch.rand(1, 1, SIZE, SIZE))


def test_openvino_that_is_not_installed(checkpoint: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_encoder, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "napari-sam\[openvino\]"'):
        load_model(checkpoint=checkpoint, device="openvino")
    model = load_model(checkpoint=checkpoint, device="auto")
    assert isinstance(model, Sam)
    assert not isinstance(model.image_encoder, OpenVINOEncoder)


def test_models_without_a_form_for_openvino() -> None:
    with pytest.raises(ValueError, match="nano can't run with OpenVINO; expected a SAM"):
        load_model("nano", device="openvino")
    assert load_model("nano", device="auto").name == "nano"
