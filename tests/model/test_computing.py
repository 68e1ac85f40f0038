"""A loaded model tells how it computes."""

from __future__ import annotations

import pytest

from napari_sam.model import load_model
from napari_sam.model.computing import backend_of, precision_of
from napari_sam.model.openvino_encoder import OpenVINOEncoder
from napari_sam.model.precision import Precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_torch(precision: Precision) -> None:
    nano = load_model("nano", device="cpu", precision=precision)
    assert (backend_of(nano), precision_of(nano)) == ("torch", precision)


def test_openvino() -> None:
    nano = load_model("nano", device="cpu")
    encoder = OpenVINOEncoder.__new__(OpenVINOEncoder)
    super(OpenVINOEncoder, encoder).__init__()
    encoder.precision = "bfloat16"
    nano.image_encoder = encoder
    assert (backend_of(nano), precision_of(nano)) == ("openvino", "bfloat16")
