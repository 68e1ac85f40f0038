"""Objects from instance maps: seeds, watershed, and the decoder's second look."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.image.window import Window
from napari_sam.masks.paint import paint
from napari_sam.model import load_model
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.instance_decoder import InstanceDecoder
from napari_sam.model.sam import TinyViTSize, build_mobile_sam
from napari_sam.segment.find import find_objects
from napari_sam.segment.seeds import SeedSettings, seed_masks, watershed_masks
from napari_sam.segment.settings import FindSettings

SIZE = 128


class DepthModel(Model):
    """Takes intensity for the depth in an object; its decoder repeats the mask that it is given.

    Of three masks the middle one is right and says so.
    """

    name = "depth"
    image_size = SIZE
    low_res_size = SIZE // 2
    has_instance_maps = True

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def encode(self, windows):
        height, width = windows.shape[-2:]
        # Beyond the image, it claims that all is foreground.
        return Features((F.pad(windows, (0, SIZE - width, 0, SIZE - height), value=0.7),))

    def instance_maps(self, features):
        depth = features.maps[0]
        foreground = torch.where(depth > 0.004, 0.98, 0.02)
        return torch.cat([foreground, 1 - depth, 1 - depth], dim=1)

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        assert (labels == 1).all()
        assert mask.shape == (len(points), 1, self.low_res_size, self.low_res_size)
        x, y = (points[:, 0] / 2).long().unbind(-1)
        assert (mask[torch.arange(len(points)), 0, y, x] > 0).all()
        scores = torch.tensor([[0.2, 0.9, 0.4]]).expand(len(points), -1)
        return torch.cat([mask - 3, mask, mask + 3], dim=1), scores


def depth_of(labels: np.ndarray) -> np.ndarray:
    """Return the distance to each object's edge, 1 at its middle."""
    depth = np.zeros(labels.shape)
    for number in np.unique(labels[labels > 0]):
        distance = ndimage.distance_transform_edt(np.pad(labels == number, 1))[1:-1, 1:-1]
        depth = np.maximum(depth, distance / distance.max())
    return depth


def discs(shape: tuple[int, int], middles: list[tuple[int, int]], radius: float) -> np.ndarray:
    """Return labels; a pixel belongs to the nearest middle."""
    places = np.indices(shape)
    distances = np.stack([np.hypot(*(places - np.reshape(m, (2, 1, 1)))) for m in middles])
    return np.where(distances.min(0) <= radius, distances.argmin(0) + 1, 0)


def find(function, labels, step=1.0, settings=None, y=0, x=0):
    """Return what is found in one window of an image that shows the depth of objects."""
    image = open_image(depth_of(labels).astype(np.float32), intensity=Intensity((0,), (1,)))
    embeddings = Embeddings(image, DepthModel())
    window = Window(y, x, SIZE, step)
    features = embeddings.features(window)
    return function(embeddings.model, features, window, labels.shape, settings)


def agreement(table, labels) -> list[float]:
    """Return the best IoU of each object."""
    found = paint(table, np.arange(len(table)), (0, 0, *labels.shape))
    ious = []
    for number in np.unique(labels[labels > 0]):
        truth = labels == number
        ious.append(max(((found == i) & truth).sum() / ((found == i) | truth).sum()
                        for i in range(1, len(table) + 1)))  # fmt: skip
    return ious


both = pytest.mark.parametrize("function", [seed_masks, watershed_masks])


@both
@pytest.mark.parametrize("step", [0.5, 1.0, 2.0])
def test_touching_objects_come_apart(function, step):
    side = int(SIZE * step)
    middles = np.array([(30, 30), (30, 56), (80, 60), (100, 100)]) * side / 128
    labels = discs((side, side), middles.tolist(), 14 * step)
    table = find(function, labels, step)
    assert len(table) == 4
    assert min(agreement(table, labels)) > 0.75
    inside = labels[tuple(table.points.round().astype(int).T)]
    assert sorted(inside.tolist()) == [1, 2, 3, 4]


@both
def test_positions_are_those_of_the_image(function):
    labels = discs((200, 220), [(150, 170)], 15)
    table = find(function, labels, y=72, x=92)
    assert len(table) == 1
    assert min(agreement(table, labels)) > 0.9


@both
def test_where_the_image_ends_there_are_no_objects(function):
    labels = discs((70, 90), [(35, 45)], 15)
    table = find(function, labels)
    assert len(table) == 1
    assert (table.boxes[:, 2:] <= labels.shape).all()


@both
def test_an_object_at_the_edge_keeps_its_pixels_there(function):
    labels = discs((SIZE, SIZE), [(0, 60), (127, 60)], 20)
    labels[:, :30] = 0
    table = find(function, labels)
    assert table.boxes[:, 0].min() == 0
    assert table.boxes[:, 2].max() == SIZE


@both
def test_no_objects(function):
    assert len(find(function, np.zeros((100, 100), int))) == 0


def test_outlines_are_smooth_when_enlarged():
    labels = discs((512, 512), [(256, 256)], 150)
    (mask,) = find(watershed_masks, labels, step=4)
    changes = np.abs(np.diff(mask.array.argmax(axis=1)))  # of the left edge, row by row
    assert np.median(changes[changes > 0]) < 4  # a cell is eight pixels wide
    assert mask.area == pytest.approx((labels > 0).sum(), rel=0.03)


def test_scores():
    labels = discs((SIZE, SIZE), [(40, 40), (90, 90)], 14)
    table = find(watershed_masks, labels)
    assert ((table.predicted_iou > 0.8) & (table.predicted_iou <= 1)).all()
    assert (find(seed_masks, labels).predicted_iou == np.float32(0.9)).all()
    assert len(find(watershed_masks, labels, settings=SeedSettings(score=1))) == 0


def test_of_masks_that_share_too_much_one_is_kept():
    labels = discs((SIZE, SIZE), [(40, 40), (40, 66)], 14)

    class Merging(DepthModel):
        def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
            logits, scores = super().decode(features, points, labels, box, mask, multimask)
            return logits.amax(dim=0, keepdim=True).expand_as(logits), scores

    image = open_image(depth_of(labels).astype(np.float32), intensity=Intensity((0,), (1,)))
    model, window = Merging(), Window(0, 0, SIZE)
    features = Embeddings(image, model).features(window)
    assert len(watershed_masks(model, features, window, labels.shape)) == 2
    assert len(seed_masks(model, features, window, labels.shape)) == 1


@pytest.mark.parametrize(("name", "value"), [("seed", 1.5), ("foreground", -1), ("smoothing", -1)])
def test_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        SeedSettings(**{name: value})


def empty_images():
    rng = np.random.default_rng(0)
    constant = np.full((512, 512), 10.0)
    hot = rng.normal(100, 5, constant.shape)
    hot[[100, 300], [200, 50]] = 4000
    return {
        "constant": constant,
        "Gaussian noise": rng.normal(1000, 30, constant.shape),
        "Poisson noise": rng.poisson(5, constant.shape).astype(float),
        "many photons": rng.poisson(100, constant.shape).astype(float),
        "hot pixels": hot,
        "uneven light": np.add.outer(*[np.arange(512.0)] * 2) + rng.normal(0, 5, constant.shape),
    }


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", empty_images())
def test_nano_finds_nothing_where_nothing_is(name, sign):
    model = load_model("nano", device="cpu")
    image = open_image((sign * empty_images()[name]).astype(np.float32))
    window = Window(0, 0, model.image_size)
    features = Embeddings(image, model).features(window)
    assert len(watershed_masks(model, features, window, image.shape_yx)) == 0
    assert len(seed_masks(model, features, window, image.shape_yx)) == 0


@both
def test_a_sam_with_an_instance_decoder(function):
    """As micro-sam's; with weights at random, what it takes for objects is any shape."""
    torch.manual_seed(0)
    size = TinyViTSize((8, 16, 24, 320), (1, 1, 1, 1), (1, 2, 2, 5), (7, 7, 14, 7))
    decoder = InstanceDecoder(features=8)
    model = build_mobile_sam("micro", size, 256, instance_decoder=decoder).eval()
    blocks = np.random.default_rng(0).integers(0, 256, (5, 6), np.uint8)
    pixels = blocks.repeat(40, axis=0).repeat(40, axis=1)
    window = Window(0, 0, model.image_size)
    features = Embeddings(open_image(pixels), model).features(window)
    settings = SeedSettings(seed=0.1, smoothing=0.5, score=0)
    table = function(model, features, window, pixels.shape, settings)
    labels = paint(table, np.arange(len(table)), (0, 0, *pixels.shape))
    assert len(np.unique(labels)) > 2


@pytest.mark.parametrize("noise", ["uniform", "camera"])
def test_little_is_found_in_small_planes_of_noise(noise: str) -> None:
    """They are magnified, so that grains look like cells; the decoder knows that they are none."""
    rng = np.random.default_rng(0)
    drawn = {"uniform": rng.integers(0, 256, (100, 100)), "camera": rng.poisson(40, (100, 100))}
    embeddings = Embeddings(
        open_image(drawn[noise].astype(np.uint8), axes="yx"), load_model("nano", device="cpu")
    )
    window = embeddings.grid().window(0, 0)
    everything = find_objects(embeddings, window, FindSettings(pred_iou=0))
    assert len(everything) > 60, "or this tests nothing"
    assert len(find_objects(embeddings, window, FindSettings())) < len(everything) / 2
