"""Prompts and masks travel between the levels of a pyramid without a shift."""

from __future__ import annotations

import numpy as np
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass
from torch import nn

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.prompts import Prompts
from napari_sam.segment import segment_object
from napari_sam.segment.decode import decode

PLAIN = Intensity((0,), (1,))
SIZE = 128


class DiscModel(Model):
    """Finds what is bright, wherever the prompts are, and keeps them to be looked at."""

    name = "disc"
    image_size = SIZE
    low_res_size = SIZE // 2

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # tells the device

    def encode(self, windows):
        height, width = windows.shape[-2:]
        padding = (0, SIZE - width, 0, SIZE - height)
        return Features((nn.functional.pad(windows[:, :1], padding),))

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        seen = features.maps[0]
        self.center_xy = np.array(center_of_mass(seen[0, 0].numpy()))[::-1]
        self.points, self.box, self.mask = points, box, mask
        return 12 * (nn.functional.avg_pool2d(seen, 2) - 0.5), torch.tensor([[0.9]])

    def assert_prompts_lie_on_the_disc(self, step):
        within = {"rtol": 0, "atol": 0.5 / step}
        if self.points is not None:
            np.testing.assert_allclose(self.points[0, 0], self.center_xy, **within)
        if self.box is not None:
            middle = self.box[0].numpy().reshape(2, 2).mean(axis=0)
            np.testing.assert_allclose(middle, self.center_xy, **within)
        if self.mask is not None:
            middle = center_of_mass((self.mask[0, 0] / 12 + 0.5).clamp(0, 1).numpy())[::-1]
            np.testing.assert_allclose(2 * np.array(middle) + 0.5, self.center_xy, **within)


def disc_of(shape, center, radius):
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - center[0], columns - center[1])
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


def coarser(disc, factors, starts, *, up):
    """Average blocks; the first one starts a few pixels inside the image."""
    part = disc[starts[0] :, starts[1] :]
    kept = [n + -n % f if up else n - n % f for n, f in zip(part.shape, factors, strict=True)]
    padded = np.pad(part, [(0, max(0, k - n)) for k, n in zip(kept, part.shape, strict=True)])
    rows, columns = (k // f for k, f in zip(kept, factors, strict=True))
    blocks = padded[: kept[0], : kept[1]].reshape(rows, factors[0], columns, factors[1])
    return blocks.mean(axis=(1, 3))


def as_ome_zarr(levels, factors, starts, pixel_size):
    """A pyramid whose metadata tell where the center of the first pixel of each level lies."""
    group = zarr.open_group({}, mode="w")
    datasets = []
    for number, (level, factor, start) in enumerate(zip(levels, factors, starts, strict=True)):
        group.create_array(str(number), data=level)
        center = (np.array(start) + (np.array(factor) - 1) / 2) * pixel_size
        transforms = [
            {"type": "scale", "scale": [f * pixel_size for f in factor]},
            {"type": "translation", "translation": (7 + center).tolist()},
        ]
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": datasets}],
    }
    return group


FACTORS = [
    *([(f, f) for f in each] for each in ([], [2], [3], [4], [2, 4], [3, 6], [2, 3, 4])),
    *([(1, 2)], [(2, 1), (4, 2)], [(2, 3), (3, 4)], [(1, 2), (1, 4), (2, 8)]),
]
"""Of the levels after the first, in y and x."""


@st.composite
def scenes(draw):
    """A step, a disc that it shows large enough, and a pyramid of it."""
    step = draw(st.sampled_from([1, 2, 4]))
    radius = draw(st.floats(14, 20)) * step
    shape = tuple(draw(st.integers(int(3 * radius), int(4 * radius))) for _ in "yx")
    center = tuple(n / 2 + draw(st.floats(-radius / 3, radius / 3)) for n in shape)
    factors = draw(st.sampled_from(FACTORS))
    has_metadata = draw(st.booleans())
    starts = [
        tuple(draw(st.integers(0, f - 1)) if has_metadata else 0 for f in pair) for pair in factors
    ]
    disc = disc_of(shape, center, radius)
    up = draw(st.booleans())
    levels = [disc]
    levels += [coarser(disc, f, s, up=up) for f, s in zip(factors, starts, strict=True)]
    if has_metadata:
        levels = as_ome_zarr(levels, ((1, 1), *factors), ((0, 0), *starts), pixel_size=0.325)
    return step, levels, shape, np.array(center), radius


def center_of(mask):
    return np.array(center_of_mass(mask.array)) + mask.box[:2]


def look(embeddings, step, prompts, center, radius):
    """Segment the disc in a window of this step; the model must see the prompts on it."""
    box = [*(center - radius), *(center + radius)]
    window = embeddings.window_around(box, step=float(step))
    features = embeddings.features(window)
    shape = embeddings.image.shape_yx
    (mask,) = decode(embeddings.model, features, window, prompts, shape, multimask=False)
    embeddings.model.assert_prompts_lie_on_the_disc(step)
    return mask


@settings(max_examples=100)
@given(scene=scenes(), by_box=st.booleans())
def test_a_centered_disc_stays_within_half_a_pixel(scene, by_box):
    step, levels, shape, center, radius = scene
    embeddings = Embeddings(open_image(levels, intensity=PLAIN), DiscModel())
    assert embeddings.image.shape_yx == shape
    box = [*(center - radius), *(center + radius)]
    prompts = Prompts(box=box) if by_box else Prompts([center])
    found = look(embeddings, step, prompts, center, radius)
    np.testing.assert_allclose(center_of(found), center, atol=0.5)
    other = step / 2 if step > 1 else 2
    again = look(embeddings, other, Prompts([center], mask=found.logits), center, radius)
    np.testing.assert_allclose(center_of(again), center, atol=0.5)


@settings(max_examples=100)
@given(scene=scenes(), by=st.sampled_from(["step", "diameter", "both"]), by_box=st.booleans())
def test_a_disc_stays_in_place_at_whatever_level_is_chosen(scene, by, by_box):
    step, levels, _, center, radius = scene
    embeddings = Embeddings(open_image(levels, intensity=PLAIN), DiscModel())
    options = {} if by == "diameter" else {"step": step}
    options |= {} if by == "step" else {"object_diameter": 2 * radius}
    prompts = Prompts(box=[*(center - radius), *(center + radius)]) if by_box else Prompts([center])
    found = segment_object(embeddings, prompts, **options)
    assert found.window.step >= options.get("step", embeddings.base_step)
    # A coarser window than that of the scene shows the disc with fewer samples.
    off = 0.5 * max(1, found.window.step / step)
    np.testing.assert_allclose(center_of(found.best), center, atol=off)
    embeddings.model.assert_prompts_lie_on_the_disc(found.window.step)


def test_levels_of_a_factor_that_is_no_whole_number():
    center = np.array([140.2, 230.7])
    full = disc_of((300, 450), center, 60)
    positions = [(np.arange(n) + 0.5) * 1.5 - 0.5 for n in (200, 300)]
    rows, columns = np.meshgrid(*positions, indexing="ij")
    coarse = np.clip(0.5 + (60 - np.hypot(rows - center[0], columns - center[1])) / 1.5, 0, 1)
    image = open_image([full, coarse.astype(np.float32)], intensity=PLAIN)
    assert image.levels[1].downsample == (1.5, 1.5)
    embeddings = Embeddings(image, DiscModel())
    found = look(embeddings, 2, Prompts([center]), center, 60)
    np.testing.assert_allclose(center_of(found), center, atol=0.5)
