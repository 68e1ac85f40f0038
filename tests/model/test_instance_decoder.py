"""The maps that tell all objects apart: micro-sam's numbers, and one meaning for all models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.instance_decoder import build_instance_decoder
from napari_sam.model.nano import Nano
from napari_sam.train.crops import instance_targets

from .files import CHANNELS, IMAGE_SIZE, State, small_decoder, small_sam


def restated(state: State, embedding: torch.Tensor) -> torch.Tensor:
    """The decoder as a list of operations, in the order in which micro-sam applies them."""

    def convolve(x: torch.Tensor, name: str, padding: int = 0) -> torch.Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def enlarge(x: torch.Tensor, name: str) -> torch.Tensor:
        if f"{name}.block.weight" in state:
            weight, bias = state[f"{name}.block.weight"], state[f"{name}.block.bias"]
            return F.conv_transpose2d(x, weight, bias, stride=2)
        size = (2 * x.shape[2], 2 * x.shape[3])
        x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        return convolve(x, f"{name}.conv")

    def block(x: torch.Tensor, name: str) -> torch.Tensor:
        for i in (1, 4):
            mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
            x = convolve((x - mean) / (var + 1e-5).sqrt(), f"{name}.block.{i}", padding=1).relu()
        return x

    def deconv(x: torch.Tensor, name: str) -> torch.Tensor:
        x = convolve(enlarge(x, f"{name}.block.0"), f"{name}.block.1.block", padding=1)
        mean, var, weight, bias = (
            state[f"{name}.block.2.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + 1e-5).sqrt() * weight + bias).relu()

    skips = [deconv(embedding, "deconv1")]
    for i in (2, 3, 4):
        skips.append(deconv(skips[-1], f"deconv{i}"))
    x = block(embedding, "base")
    for i in range(3):
        x = enlarge(x, f"decoder.samplers.{i}")
        surplus = skips[i].shape[1] - x.shape[1]
        middle = skips[i][:, surplus // 2 : surplus // 2 + x.shape[1]]
        x = block(torch.cat([x, middle], dim=1), f"decoder.blocks.{i}")
    x = block(torch.cat([enlarge(x, "deconv_out"), skips[3]], dim=1), "decoder_head")
    return convolve(x, "out_conv").sigmoid()


@pytest.mark.parametrize("learned_upsampling", [False, True])
def test_numbers(learned_upsampling: bool) -> None:
    published = small_decoder(learned_upsampling)
    state = published.state_dict()
    decoder = build_instance_decoder(state, "decoder.pt").eval()
    decoder.load_state_dict(state, assign=True)
    embedding = torch.randn(2, CHANNELS, 8, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, expected = decoder(embedding), restated(state, embedding)
    assert found.shape == (2, 3, 128, 96)
    assert (found - expected).abs().max() < 1e-5
    assert (found.std(dim=(0, 2, 3)) > 0.02).all(), "weights at which nothing matters"


def test_names_are_those_of_micro_sams_files() -> None:
    names = small_decoder().state_dict().keys()
    some = {
        "base.block.1.weight", "base.block.4.bias", "deconv1.block.0.conv.weight",
        "deconv4.block.1.block.weight", "deconv2.block.2.running_var",
        "deconv2.block.2.num_batches_tracked", "decoder.blocks.2.block.4.weight",
        "decoder.samplers.0.conv.bias", "deconv_out.conv.weight", "decoder_head.block.1.weight",
        "out_conv.bias",
    }  # fmt: skip
    assert some <= names
    assert len(names) == 66
    learned = small_decoder(learned_upsampling=True).state_dict().keys()
    assert {"decoder.samplers.0.block.bias", "deconv1.block.0.block.weight"} <= learned


def test_other_decoders_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"The instance decoder in sam\.pt has no tensors base\.bl"
    ):
        build_instance_decoder({"x": torch.ones(1)}, "sam.pt")
    state = small_decoder().state_dict()
    state["out_conv.weight"] = torch.ones(5, 4, 1, 1)
    with pytest.raises(ValueError, match=r"in sam\.pt has 5 outputs; expected 3: foreground"):
        build_instance_decoder(state, "sam.pt")


def test_a_model_without_a_decoder_says_so() -> None:
    model = small_sam()
    assert not model.has_instance_maps
    features = model.encode(torch.rand(1, 1, IMAGE_SIZE, IMAGE_SIZE))
    with pytest.raises(ValueError, match="'small' has no instance decoder; use one"):
        model.instance_maps(features)


def test_windows_are_independent() -> None:
    model = small_sam()
    model.instance_decoder, model.has_instance_maps = small_decoder(), True
    features = model.encode(torch.rand(3, 1, IMAGE_SIZE, IMAGE_SIZE))
    maps = model.instance_maps(features)
    assert maps.shape == (3, 3, IMAGE_SIZE, IMAGE_SIZE)
    torch.testing.assert_close(maps[1:2], model.instance_maps(features[1]))
    with pytest.raises(ValueError, match=r"embedding has shape \(1, 128, 64, 64\); .*\(any, 32, 4"):
        model.instance_maps(Features((torch.zeros(1, 128, 64, 64),)))


def test_memory_that_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    model = small_sam()
    model.instance_decoder = small_decoder()
    features = model.encode(torch.rand(1, 1, IMAGE_SIZE, IMAGE_SIZE))
    monkeypatch.setattr(model.instance_decoder, "forward", fail)
    with pytest.raises(MemoryError, match="not enough free memory for the model"):
        model.instance_maps(features)


class Told(torch.nn.Module):
    """An instance head that has learned its targets perfectly."""

    def __init__(self, targets: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.logit(targets, eps=1e-6)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_nano_means_the_same_as_micro_sam() -> None:
    """Its targets grow from the boundary inwards, and are nothing in the background."""
    labels = np.zeros((84, 84), int)
    labels[20:61, 20:61] = 1
    nano = Nano()
    nano.instance_head = Told(torch.from_numpy(instance_targets(labels, stride=1))[None])
    maps = nano.instance_maps(Features((torch.zeros(1, 128, 1, 1),)))[0]
    foreground, center, boundary = maps
    assert maps.shape == (3, 84, 84)
    assert (foreground > 0.99).numpy().astype(int).tolist() == labels.tolist()
    assert (center[40, 40], boundary[40, 40]) == pytest.approx((0, 0), abs=1e-3)
    assert (center[20, 20], boundary[20, 20]) == pytest.approx((1, 1), abs=1e-3)
    assert (center[40, 30], boundary[40, 30]) == pytest.approx((10 / 800**0.5, 0.5), abs=1e-3)
    assert (center[5, 5], boundary[5, 5]) == pytest.approx((1, 1), abs=1e-3)


def test_nano_maps_are_probabilities_of_a_quarter_of_the_window() -> None:
    torch.manual_seed(0)
    nano: Model = Nano().eval()
    maps = nano.instance_maps(nano.encode(torch.rand(2, 3, 512, 512)))
    assert maps.shape == (2, 3, 128, 128)
    assert ((maps >= 0) & (maps <= 1)).all()
    assert not maps.requires_grad
