"""The key knows one image and one model from another, and reads little to do so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.embedding.key import BLOCK_SIZE, N_BLOCKS, StoreKey, hash_content, hash_weights
from napari_sam.image import Image, Intensity, open_image
from napari_sam.image.pyramid import make_pyramid
from napari_sam.image.source import Source, Transform
from napari_sam.model.base import Model

INTENSITY = Intensity((0.0,), (1.0,))


class TinyModel(Model):
    """Two numbers and no method that is asked for here."""

    name, image_size, low_res_size = "tiny", 64, 16

    def __init__(self, value: float = 1.0, weights_hash: str | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((2,), value))
        self.weights_hash = weights_hash

    def encode(self, windows: Any) -> Any:
        raise NotImplementedError

    def decode(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class CountingArray:
    """An array of any size, made up where it is read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype, self.nbytes_read = shape, np.dtype("uint16"), 0

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        shape = tuple(i.stop - i.start for i in index if isinstance(i, slice))
        self.nbytes_read += int(np.prod(shape)) * 2
        return np.full(shape, sum(i.start for i in index if isinstance(i, slice)) % 65_536, "u2")


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("yx", (9, 9)), ("yx", (100_000, 100_000)), ("zyx", (1000, 2048, 2048)),
     ("tczyx", (50, 3, 40, 5000, 5000))],
)  # fmt: skip
def test_the_bytes_read_do_not_grow_with_the_image(axes: str, shape: tuple[int, ...]) -> None:
    array = CountingArray(shape)
    hash_content(open_image(array, axes=axes, intensity=Intensity((0,) * 3, (1,) * 3)
                            if "c" in axes else INTENSITY))  # fmt: skip
    channels = 3 if "c" in axes else 1
    assert 0 < array.nbytes_read <= N_BLOCKS * BLOCK_SIZE**2 * 2 * channels


@pytest.mark.parametrize("chunks", [(16, 500, 700), (8, 500, 350), (1, 64, 64), (5, 333, 100)])
def test_a_chunk_is_decoded_once_and_the_hash_is_the_same(chunks: tuple[int, ...]) -> None:
    class Chunked:
        def __init__(self, pixels: np.ndarray) -> None:
            self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
            self.chunks, self.requests = chunks, []

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
            self.requests.append(
                tuple(part.start // side for part, side in zip(index, chunks, strict=True))
            )
            return self.pixels[index]

    y, x = np.ogrid[:500, :700]
    pixels = np.stack([(plane * 1000 + y * 7 + x).astype("u2") for plane in range(16)])
    array = Chunked(pixels)
    found = hash_content(open_image(array, axes="zyx", intensity=INTENSITY))
    assert found == hash_content(open_image(pixels, axes="zyx", intensity=INTENSITY))
    assert len(array.requests) == len(set(array.requests))


def test_the_same_pixels_have_the_same_hash_whatever_holds_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (3, 300, 200), "u2")
    in_zarr = zarr.create_array({}, data=pixels, chunks=(1, 77, 128))
    images = [pixels, pixels.astype(">u2"), da.from_array(pixels, (2, 50, 70)), in_zarr,
              np.asfortranarray(pixels)]  # fmt: skip
    keys = {StoreKey.of(open_image(data, intensity=INTENSITY), TinyModel(), 8) for data in images}
    assert len(keys) == 1


@given(st.integers(0, 2**32))
def test_other_pixels_have_another_hash(seed: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, 256, (2, 90, 80), np.uint8)
    assert hash_content(open_image(first)) != hash_content(open_image(second))


def test_channels_and_planes_are_told_apart() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 90, 80), np.uint8)
    hashes = {
        hash_content(open_image(data, axes=axes, channels=channels))
        for data, axes, channels in [
            (pixels, "czyx", 0), (pixels, "czyx", 1), (pixels[0], "zyx", None),
            (pixels[0, ::-1], "zyx", None), (pixels[0, :, ::-1], "zyx", None),
        ]
    }  # fmt: skip
    assert len(hashes) == 4, "channel 0 of the image is the same as its pixels alone"


def test_the_key_tells_what_differs() -> None:
    image = open_image(np.zeros((3, 100, 90), np.uint8), intensity=INTENSITY)
    key = StoreKey.of(image, TinyModel(), 8)
    assert key == StoreKey.of(image, TinyModel(), 8)
    (sentence,) = StoreKey.of(image, TinyModel(2.0), 8).differences(key)
    assert sentence.startswith("the weights of the model (found ")
    given = StoreKey.of(image, TinyModel(), 8, intensity=Intensity((0,), (9,)))
    (sentence,) = given.differences(key)
    assert sentence.startswith("the normalization (found low (0,), high (9,)")
    pyramid = [np.zeros((3, 100, 90), np.uint8), np.zeros((3, 50, 45), np.uint8)]
    shapes, factors, offsets = StoreKey.of(
        open_image(pyramid, axes="zyx", intensity=INTENSITY), TinyModel(), 8
    ).differences(key)
    assert "levels (found ((100, 90), (50, 45)), expected ((100, 90),))" in shapes
    assert "reduced (found ((1.0, 1.0), (2.0, 2.0)), expected ((1.0, 1.0),))" in factors
    assert "start (found ((0.0, 0.0), (0.0, 0.0)), expected ((0.0, 0.0),))" in offsets


@pytest.mark.parametrize(
    ("transform", "part"),
    [(Transform((1.99, 2.0), (0.0, 0.0)), "reduced"), (Transform((2.0, 2.0), (0.0, 0.5)), "start")],
)
def test_levels_of_the_same_shapes_that_lie_elsewhere_have_another_key(
    transform: Transform, part: str
) -> None:
    def key(second: Transform) -> StoreKey:
        arrays = (np.zeros((101, 101), np.uint8), np.zeros((51, 51), np.uint8))
        full = Transform((1.0, 1.0), (0.0, 0.0))
        pyramid = make_pyramid(Source(arrays, "yx", (full, second)), None, None)
        return StoreKey.of(Image(pyramid, INTENSITY), TinyModel(), 8)

    expected = key(Transform((2.0, 2.0), (0.0, 0.0)))
    found = key(transform)
    (sentence,) = found.differences(expected)
    assert part in sentence
    assert StoreKey.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_the_hash_of_the_file_of_weights_is_used_where_there_is_one() -> None:
    image = open_image(np.zeros((9, 9), np.uint8), intensity=INTENSITY)
    assert StoreKey.of(image, TinyModel(weights_hash="e" * 64), 8).weights_hash == "e" * 64
    in_memory = StoreKey.of(image, TinyModel(), 8).weights_hash
    assert in_memory == hash_weights(TinyModel()) != hash_weights(TinyModel(1.5))
    assert hash_weights(TinyModel().half()) != in_memory


def test_a_key_survives_json() -> None:
    image = open_image(np.zeros((2, 3, 90, 80), np.float32), axes="tzyx", intensity=INTENSITY)
    key = StoreKey.of(image, TinyModel(), 8, intensity=Intensity((0.1,), (1 / 3,)))
    assert StoreKey.from_dict(json.loads(json.dumps(key.to_dict()))) == key
    assert key.plane_shape == (2, 3) and key.shape_yx == (90, 80)


@pytest.mark.parametrize(
    "entries", [{}, {"intensity": {"low": [1], "high": [0]}}, {"intensity": 3}]
)
def test_what_is_no_key_is_refused(entries: dict[str, Any]) -> None:
    with pytest.raises((AttributeError, LookupError, TypeError, ValueError)):
        StoreKey.from_dict(entries)


def test_measured_intensity_is_part_of_the_key() -> None:
    image = open_image(np.arange(10_000, dtype=np.float32).reshape(100, 100))
    key = StoreKey.of(image, TinyModel(), 8)
    assert key.intensity == image.intensity
    assert replace(key, halo=9) != key


def test_channels_behind_a_slider_are_another_normalization() -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (2, 80, 90)).astype(np.uint16)
    pixels[1] *= 300
    shared, apart = (
        StoreKey.of(open_image(pixels, axes="zyx", channel_axis=axis), TinyModel(), 8)
        for axis in (None, "z")
    )
    assert len(apart.intensity.low) == 2
    assert StoreKey.from_dict(json.loads(json.dumps(apart.to_dict()))) == apart
    [difference] = apart.differences(shared)
    assert difference.startswith("the normalization")


def test_the_precision_of_the_encoder_is_part_of_the_key() -> None:
    """What bfloat16 encoded makes other masks than float32 does; of old keys it is not known."""
    image = open_image(np.zeros((9, 9), np.uint8), intensity=INTENSITY)
    half = TinyModel(weights_hash="e" * 64)
    half.image_encoder = torch.nn.Linear(1, 1).bfloat16()
    key, other = (StoreKey.of(image, m, 8) for m in (TinyModel(weights_hash="e" * 64), half))
    assert other.differences(key) == [
        "the precision of the image encoder (found bfloat16, expected float32)"
    ]
    old = {name: part for name, part in key.to_dict().items() if name != "precision"}
    for known in (key, other):
        assert StoreKey.from_dict(json.loads(json.dumps(old))).differences(known) == []
