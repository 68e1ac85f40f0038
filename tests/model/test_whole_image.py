"""The whole way from an image and prompts in its pixels to masks, against the reference's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pytest import MonkeyPatch
from scipy.sparse import csr_array

from napari_sam.model import WholeImage, load_model, whole_image
from napari_sam.model.hq_mask_decoder import HQMaskDecoder
from napari_sam.model.sam import Sam, TinyViTSize, ViTSize, build_mobile_sam, build_sam
from napari_sam.model.whole_image import resize, target_shape, to_uint8

from .comparison import Answers, differences, load, spread
from .references import build_reference

VIT = ViTSize(embed_dim=24, depth=2, num_heads=2, global_blocks=(1,))
TINY_VIT = TinyViTSize((8, 16, 24, 320), (1, 1, 1, 1), (1, 2, 2, 5), (7, 7, 14, 7))
SIDE = 256

Pixels = NDArray[Any]
Prompt = dict[str, Any]


def random_image(*shape: int, dtype: type = np.uint8) -> Pixels:
    """Random blocks of 3 pixels, which survive resizing better than random pixels."""
    random = np.random.default_rng(sum(shape))
    coarse = random.integers(0, np.iinfo(dtype).max, [-(-s // 3) for s in shape[:2]] + [*shape[2:]])
    return coarse.repeat(3, axis=0).repeat(3, axis=1)[: shape[0], : shape[1]].astype(dtype)


IMAGES = {
    "as large as the window": random_image(SIDE, SIDE, 3),
    "landscape": random_image(310, 497, 3),  # 159.7 by 256 in the window
    "portrait, enlarged": random_image(150, 61, 3),
    "tiny": random_image(5, 7, 3),
    "elongated": random_image(900, 4, 3),
    "gray": random_image(333, 200),
    "uint16": to_uint8(random_image(210, 270, dtype=np.uint16)),
    "uint16, two channels": to_uint8(random_image(99, 180, 2, dtype=np.uint16)),
}


LOW_RES_MASK = 8 * np.random.default_rng(9).standard_normal((SIDE // 4, SIDE // 4), np.float32)


def prompts(shape_yx: tuple[int, ...]) -> dict[str, Prompt]:
    """Keyword arguments of `WholeImage.predict`, in every mix."""
    shape = np.array(shape_yx)
    point = {"points": shape[None] * 0.4, "labels": [1]}
    points = {"points": np.outer([0.2, 0.9, -0.1], shape), "labels": [1, 0, 1]}
    box = {"box": np.concatenate([0.1 * shape, shape * [0.7, 1.05]])}
    mask = {"mask": LOW_RES_MASK}
    return {
        "point": point,
        "points": points,
        "box": box,
        "mask": mask,
        "point and mask": point | mask,
        "all": points | box | mask,
    }


class Pair(NamedTuple):
    """The predictor of a reference package, and our model of the same weights."""

    predictor: Any
    model: Sam


def build_pair(segment_anything: ModuleType, segment_anything_hq: ModuleType, name: str) -> Pair:
    package = segment_anything if name == "SAM" else segment_anything_hq
    size = VIT if name in ("SAM", "HQ-SAM") else TINY_VIT
    reference = build_reference(package.modeling, size, SIDE, hq="HQ" in name)
    spread(reference)
    build: Any = build_sam if size is VIT else build_mobile_sam
    ours = load(build("small", size, SIDE, hq="HQ" in name), copy.deepcopy(reference))
    return Pair(package.SamPredictor(reference), ours)


@pytest.fixture(scope="module")
def sam(segment_anything: ModuleType, segment_anything_hq: ModuleType) -> Pair:
    return build_pair(segment_anything, segment_anything_hq, "SAM")


ANSWERS = ("masks", "predicted IoU", "logits")


def ask_ours(model: Sam, image: Pixels) -> Answers:
    seen = WholeImage(model, image)
    answers = {"embedding": seen.features.maps[0]}
    for name, prompt in prompts(seen.shape_yx).items():
        for multimask in (True, False):
            found = seen.predict(**prompt, multimask=multimask)
            if isinstance(model.mask_decoder, HQMaskDecoder):  # the reference returns the best
                best = slice(int(found[1].argmax()), int(found[1].argmax()) + 1)
                found = tuple(part[best] for part in found)
            for what, part in zip(ANSWERS, found, strict=True):
                answers[f"{what}, {name}, {multimask=}"] = torch.from_numpy(part)
    return answers


def ask_reference(predictor: Any, image: Pixels) -> Answers:
    predictor.set_image(image if image.ndim == 3 else image[..., None].repeat(3, axis=2))
    answers = {"embedding": predictor.features}
    for name, prompt in prompts(image.shape[:2]).items():
        points, box, mask = prompt.get("points"), prompt.get("box"), prompt.get("mask")
        for multimask in (True, False):
            found = predictor.predict(
                None if points is None else points[:, ::-1],
                None if points is None else np.array(prompt["labels"]),
                None if box is None else box[[1, 0, 3, 2]],
                None if mask is None else mask[None],
                multimask,
                return_logits=True,
            )
            for what, part in zip(ANSWERS, found, strict=True):
                answers[f"{what}, {name}, {multimask=}"] = torch.from_numpy(part)
    return answers


def largest_difference(ours: Answers, reference: Answers) -> float:
    """Masks may differ only where the reference's logits, which it gives for them, are almost 0."""
    ours, reference = dict(ours), dict(reference)
    for name, logits in reference.items():
        if name.startswith("masks"):
            assert ours[name].dtype == torch.bool
            is_clear = logits.abs() > 1e-4
            reference[name] = ((logits > 0) & is_clear).float()
            ours[name] = (ours[name] & is_clear).float()
    return max(differences(ours, reference).values())


@pytest.mark.parametrize("name", IMAGES)
def test_agrees_with_the_predictor(sam: Pair, name: str) -> None:
    expected = ask_reference(sam.predictor, IMAGES[name])
    assert largest_difference(ask_ours(sam.model, IMAGES[name]), expected) < 1e-4


@pytest.mark.parametrize("name", ["MobileSAM", "HQ-SAM", "Light HQ-SAM"])
def test_other_networks_agree_with_the_predictor(
    segment_anything: ModuleType, segment_anything_hq: ModuleType, name: str
) -> None:
    pair = build_pair(segment_anything, segment_anything_hq, name)
    expected = ask_reference(pair.predictor, IMAGES["landscape"])
    assert largest_difference(ask_ours(pair.model, IMAGES["landscape"]), expected) < 1e-4


@given(height=st.integers(1, 700), width=st.integers(1, 700), is_rgb=st.booleans())
def test_images_are_prepared_as_by_the_reference(
    segment_anything: ModuleType, height: int, width: int, is_rgb: bool
) -> None:
    """Which uses Pillow: within one level of it, and nearly everywhere the same."""
    image = random_image(height, width, *[3] * is_rgb)
    shape = target_shape((height, width), SIDE)
    prepared = resize(image, shape)
    assert (prepared.shape, prepared.dtype) == ((*shape, *[3] * is_rgb), np.uint8)

    size = (max(1, int(width * SIDE / max(height, width) + 0.5)), shape[0])
    pillow = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    difference = np.abs(prepared.astype(int) - pillow)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.003
    if is_rgb and 0 not in (official := get_official_shape(segment_anything, height, width)):
        assert shape == official


def get_official_shape(segment_anything: ModuleType, height: int, width: int) -> tuple[int, int]:
    transform = segment_anything.utils.transforms.ResizeLongestSide(SIDE)
    shape: tuple[int, int] = transform.get_preprocess_shape(height, width, SIDE)
    return shape


@pytest.mark.parametrize("shape", [(3000, 1), (1, 3000), (1, 1), (2, 4000)])
def test_the_thinnest_images(sam: Pair, shape: tuple[int, int]) -> None:
    """Their short side is less than half a sample, where the reference fails."""
    seen = WholeImage(sam.model, random_image(*shape))
    assert max(seen.window_shape_yx) == SIDE
    assert min(seen.window_shape_yx) >= 1
    masks, _, _ = seen.predict([[0, 0]], [1])
    assert masks.shape == (3, *shape)


def test_halves_are_rounded_up() -> None:
    assert target_shape((1000, 1001), 1024) == (1023, 1024)
    assert target_shape((2048, 1025), 1024) == (1024, 513)  # 512.5


def test_an_answer_can_be_refined(sam: Pair) -> None:
    seen = WholeImage(sam.model, IMAGES["gray"])
    _, predicted_iou, logits = seen.predict([[20, 30]], [1])
    best = logits[predicted_iou.argmax()]
    masks, _, refined = seen.predict([[20, 30], [300, 10]], [1, 0], mask=best, multimask=False)
    assert masks.shape == (1, 333, 200)
    assert np.abs(refined - best).max() > 1e-2


def test_the_built_in_model_sees_whole_images_too() -> None:
    seen = WholeImage(load_model("nano", device="cpu"), random_image(700, 900))
    masks, predicted_iou, logits = seen.predict(box=[100, 200, 300, 500])
    assert (masks.shape, predicted_iou.shape, logits.shape) == ((3, 700, 900), (3,), (3, 256, 256))


@pytest.mark.parametrize(
    ("image", "error", "sentence"),
    [
        (np.zeros((5, 5), np.uint16), TypeError, r"type uint16; expected uint8.*to_uint8"),
        (np.zeros((5, 5, 4), np.uint8), ValueError, r"shape \(5, 5, 4\); .*3\) for RGB"),
        (np.zeros((2, 5, 5, 3), np.uint8), ValueError, r"Take one plane of a stack"),
        (np.zeros((0, 5), np.uint8), ValueError, r"shape \(0, 5\)"),
    ],
)
def test_images_that_are_refused(
    sam: Pair, image: Pixels, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        WholeImage(sam.model, image)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ({}, "no prompt"),
        ({"points": [[1, 2]]}, "points without labels"),
        ({"points": [1, 2], "labels": [1]}, r"points has shape \(2,\); expected \(any, 2\)"),
        ({"points": [[1, 2]], "labels": [1, 0]}, r"labels has shape .* expected \(1, 1\)"),
        ({"points": [[1, 2]], "labels": [3]}, r"labels hold \[3"),
        ({"box": [[1, 2, 3, 4]]}, r"box has shape \(1, 4\); expected \(4\)"),
        ({"box": [1, 2, np.nan, 4]}, "box holds NaN"),
        ({"mask": np.zeros((256, 256))}, r"mask has shape \(256, 256\); expected \(64, 64\)"),
    ],
)
def test_prompts_that_are_refused(sam: Pair, prompt: Prompt, sentence: str) -> None:
    seen = WholeImage(sam.model, IMAGES["tiny"])
    with pytest.raises(ValueError, match=sentence):
        seen.predict(**prompt)


def test_conversion_stretches_every_channel() -> None:
    image = np.array([[[100, 7, 0.5], [300, 7, -0.5]], [[200, 7, 0.25], [150, 7, 0.0]]])
    expected = [[[0, 0, 255], [255, 0, 0]], [[127, 0, 191], [63, 0, 127]]]
    np.testing.assert_allclose(to_uint8(image).astype(int), expected, atol=1)
    assert to_uint8(image).dtype == np.uint8
    assert np.array_equal(to_uint8(image[..., 0]), to_uint8(image)[..., 0])


def test_conversion_makes_one_or_three_channels() -> None:
    image = random_image(4, 6, 5, dtype=np.uint16)
    rgb = to_uint8(image)
    assert np.array_equal(rgb, to_uint8(image[..., :3]))
    assert np.array_equal(to_uint8(image[..., :1]), rgb[..., 0])
    assert np.array_equal(to_uint8(image[..., :2])[..., :2], rgb[..., :2])
    assert not to_uint8(image[..., :2])[..., 2].any()


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((2, 3, 4, 5)), r"shape \(2, 3, 4, 5\); expected .* one plane"),
        (np.zeros((4, 0)), r"shape \(4, 0\)"),
        (np.full((4, 4), np.nan), "NaN or infinite"),
        (np.full((4, 4), 1e300), "NaN or infinite"),
        (6e38 * (np.eye(4) - 0.5), "too far apart"),
    ],
)
def test_images_that_cannot_be_converted(image: Pixels, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        to_uint8(image)


# Each of these changes the way from pixels to masks; the comparison above must notice.


def resize_without_antialiasing(patch: MonkeyPatch) -> None:
    def plain(image: Pixels, shape_yx: tuple[int, int]) -> Pixels:
        channels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
        resized = F.interpolate(channels.float(), shape_yx, mode="bilinear").round().byte()
        return resized[0].permute(1, 2, 0).numpy()

    patch.setattr(whole_image, "resize", plain)


def resize_by_the_nearest(patch: MonkeyPatch) -> None:
    def nearest(image: Pixels, shape_yx: tuple[int, int]) -> Pixels:
        return np.array(Image.fromarray(image).resize(shape_yx[::-1], Image.Resampling.NEAREST))

    patch.setattr(whole_image, "resize", nearest)


def round_the_shape_down(patch: MonkeyPatch) -> None:
    def floor(shape_yx: tuple[int, int], image_size: int) -> tuple[int, ...]:
        return tuple(side * image_size // max(shape_yx) for side in shape_yx)

    patch.setattr(whole_image, "target_shape", floor)


def swap_x_and_y(patch: MonkeyPatch) -> None:
    in_window = WholeImage.in_window

    def swapped(self: WholeImage, places: torch.Tensor | None) -> torch.Tensor | None:
        found = in_window(self, places)
        return None if found is None else found.unflatten(-1, (-1, 2)).flip(-1).view(found.shape)

    patch.setattr(WholeImage, "in_window", swapped)


def scale_prompts_by_the_same_factor(patch: MonkeyPatch) -> None:
    """Not by the rounded sizes, of each axis its own."""

    def scaled(self: WholeImage, places: torch.Tensor | None) -> torch.Tensor | None:
        if places is None:
            return None
        xy = places.unflatten(-1, (-1, 2)).flip(-1).view(places.shape)
        return xy * (SIDE / max(self.shape_yx))

    patch.setattr(WholeImage, "in_window", scaled)


def map_pixel_corners_instead_of_centers(patch: MonkeyPatch) -> None:
    in_window = WholeImage.in_window

    def shifted(self: WholeImage, places: torch.Tensor | None) -> torch.Tensor | None:
        found = in_window(self, None if places is None else places + 0.5)
        return None if found is None else found - 0.5

    patch.setattr(WholeImage, "in_window", shifted)


def resize_masks_once(patch: MonkeyPatch) -> None:
    def direct(low_res_size: int, image_size: int, resized: int, length: int) -> csr_array:
        samples = torch.eye(low_res_size)[None, :, : resized * low_res_size // image_size]
        return csr_array(F.interpolate(samples, length, mode="linear")[0].T.numpy())

    patch.setattr(whole_image, "axis_matrix", direct)


def forget_to_cut_the_padding(patch: MonkeyPatch) -> None:
    axis_matrix = whole_image.axis_matrix
    patch.setattr(
        whole_image,
        "axis_matrix",
        lambda low, size, _, length: axis_matrix(low, size, size, length),
    )


def align_the_corners_of_masks(patch: MonkeyPatch) -> None:
    interpolate = F.interpolate
    patch.setattr(
        F, "interpolate", lambda x, size, mode: interpolate(x, size, mode=mode, align_corners=True)
    )


MISTAKES: list[Callable[[MonkeyPatch], None]] = [
    resize_without_antialiasing,
    resize_by_the_nearest,
    round_the_shape_down,
    swap_x_and_y,
    scale_prompts_by_the_same_factor,
    map_pixel_corners_instead_of_centers,
    resize_masks_once,
    forget_to_cut_the_padding,
    align_the_corners_of_masks,
]


@pytest.fixture(scope="module")
def expected(sam: Pair) -> Answers:
    return ask_reference(sam.predictor, IMAGES["landscape"])


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_would_be_noticed(
    mistake: Callable[[MonkeyPatch], None],
    sam: Pair,
    expected: Answers,
    monkeypatch: MonkeyPatch,
) -> None:
    mistake(monkeypatch)
    assert largest_difference(ask_ours(sam.model, IMAGES["landscape"]), expected) > 1e-3
