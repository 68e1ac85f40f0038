"""Planes and stacks in tiles come back as if they had been segmented in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, Window, open_image
from napari_sam.labels import create_labels, open_labels
from napari_sam.labels.chunks import stored_chunks
from napari_sam.masks import Mask, MaskTable
from napari_sam.model.features import Features
from napari_sam.segment import find
from napari_sam.segment.objects import read_objects
from napari_sam.segment.output import read_record
from napari_sam.segment.settings import FindSettings, LinkSettings, SegmentSettings
from napari_sam.segment.stack import Progress, iter_segment_stack, segment_stack

from . import blobs

DISCS = [(40, 52, 6), (20, 20, 9), (100, 60, 40), (40, 160, 3), (130, 140, 20), (128, 10, 8)]


@pytest.fixture(autouse=True)
def blobs_instead_of_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return blobs.paint_discs((150, 180), DISCS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "labels.zarr"


def find_settings(**options: Any) -> SegmentSettings:
    return SegmentSettings(find=FindSettings(**options))


# Seams


def test_a_plane_comes_back_as_in_one_piece(pixels: NDArray[np.uint8], out: Path) -> None:
    labels = segment_stack(blobs.embed(pixels), out)
    assert labels.data.shape == pixels.shape
    assert blobs.is_same(labels.data[:], blobs.whole(pixels))
    assert set(np.unique(labels.data[:])) == set(range(len(DISCS) + 1)), "numbered without gaps"
    assert [p.name for p in out.parent.iterdir()] == [out.name], "nothing is left behind"


discs = st.lists(
    st.tuples(st.floats(-10, 170), st.floats(-10, 210), st.floats(0, 1).map(lambda u: 100 * u**3)),
    max_size=25,
)


@given(
    discs,
    st.tuples(st.integers(40, 160), st.integers(40, 200)),
    st.sampled_from([2, 8, 16, 24]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:No object was found")
def test_any_objects_in_any_tiles(
    tmp_path: Path, discs: list[tuple[float, float, float]], shape: tuple[int, int], halo: int
) -> None:
    """Discs smaller than a halo and larger than a window, and what is left of covered ones."""
    pixels = blobs.paint_discs(shape, discs)
    labels = segment_stack(blobs.embed(pixels, halo), tmp_path / "a.zarr", existing="replace")
    assert blobs.is_same(labels.data[:], blobs.whole(pixels))


def shaky(embeddings: Embeddings, window: Window, *rest: Any) -> MaskTable:
    """Find blobs, as a network does: in each window a little larger or smaller."""
    grow = (binary_dilation, binary_erosion)[int(window.y // 48 + window.x // 48) % 2]
    masks = []
    for mask in blobs.find_blobs(embeddings, window, *rest):
        array = grow(np.pad(mask.array, 1))
        y, x = mask.box[0] - 1, mask.box[1] - 1
        top, left = max(-y, 0), max(-x, 0)
        shape_yx = embeddings.image.shape_yx
        array = array[top : shape_yx[0] - y, left : shape_yx[1] - x]
        if array.any():
            masks.append(Mask.from_array(array, y + top, x + left, predicted_iou=0.9))
    return MaskTable.of(masks)


def test_no_straight_cuts_where_windows_disagree(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", shaky)
    rng = np.random.default_rng(0)
    centers = np.indices((17, 17)).reshape(2, -1).T * 23 + 12 + rng.uniform(-3, 3, (289, 2))
    pixels = blobs.paint_discs((408, 408), [(y, x, 6.0) for y, x in centers.tolist()])
    embeddings = blobs.embed(pixels)
    found, expected = segment_stack(embeddings, out).data[:], blobs.whole(pixels)
    assert len(np.unique(found)) == len(np.unique(expected)) == 290
    own = found[tuple(np.rint(centers).astype(int).T)]
    assert len(set(own.tolist())) == 289, "each has its own label, in its own place"
    cores = {embeddings.grid().core(0, column)[1] for column in range(1, 8)}
    edges = (found[:, 1:] != found[:, :-1]).sum(axis=0)
    true_edges = (expected[:, 1:] != expected[:, :-1]).sum(axis=0)
    on_seams = [x - 1 for x in cores]
    assert edges[on_seams].sum() < 1.2 * true_edges[on_seams].sum()
    both = (found[:, 1:] != found[:, :-1]) & (found[:, 1:] > 0) & (found[:, :-1] > 0)
    assert not both.any(), "nowhere do two labels meet, since no two discs do"


def test_what_a_window_makes_up_at_its_edge(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fragment of which the neighbor sees nothing, though it sees where it ends."""

    def ghostly(embeddings: Embeddings, window: Window, *rest: Any) -> MaskTable:
        ghost = Mask.from_array(np.ones((30, 30), bool), int(window.y) + 17, int(window.x))
        found = blobs.find_blobs(embeddings, window, *rest)
        return MaskTable.concatenate([found, MaskTable.of([ghost] if window.x == 48 else [])])

    monkeypatch.setitem(find.FINDERS, "seeds", ghostly)
    pixels = blobs.paint_discs((64, 200), [(10, 100, 6), (50, 40, 7)])
    labels = segment_stack(blobs.embed(pixels), out).data[:]
    assert blobs.is_same(labels, blobs.whole(pixels))


def test_a_nested_object_on_a_seam_stays_in_sight(out: Path) -> None:
    pixels = blobs.paint_discs((150, 180), [(70, 60, 30), (70, 55, 5)])
    labels = segment_stack(blobs.embed(pixels), out).data[:]
    assert blobs.is_same(labels, blobs.whole(pixels))


def test_windows_at_a_larger_step(out: Path) -> None:
    square = np.zeros((300, 400), np.uint8)
    square[40:260, 60:340] = 200
    labels = segment_stack(blobs.embed(square), out, settings=find_settings(step=4)).data[:]
    assert np.array_equal(labels > 0, square > 0)
    assert labels.max() == 1


def test_one_object_as_large_as_the_image(out: Path) -> None:
    labels = segment_stack(blobs.embed(np.full((200, 300), 200, np.uint8)), out).data[:]
    assert (labels == 1).all()


# Planes


@pytest.fixture
def volume() -> NDArray[np.uint8]:
    """Three balls, two of them on seams, in the same columns but not in neighboring planes."""
    z, y, x = np.ogrid[:13, :110, :130]
    volume = np.zeros((13, 110, 130), np.uint8)
    for zyx, value in (((2, 50, 52), 200), ((11, 50, 52), 150), ((6, 20, 100), 220)):
        center = [(a - b) ** 2 for a, b in zip((4 * z, y, x), (4 * zyx[0], *zyx[1:]), strict=True)]
        volume[sum(center) <= 14**2] = value
    return volume


def test_balls_are_linked_through_planes(volume: NDArray[np.uint8], out: Path) -> None:
    labels = segment_stack(blobs.embed(volume, axes="zyx"), out)
    truth = np.select([volume == 200, volume == 220, volume == 150], [1, 2, 3], 0)
    assert blobs.is_same(labels.data[:], truth)
    assert labels.data.shards == (1, 2048, 2048)


def test_planes_alone_get_their_own_numbers(volume: NDArray[np.uint8], out: Path) -> None:
    link = SegmentSettings(link=LinkSettings(is_linked=False))
    labels = segment_stack(blobs.embed(volume, axes="zyx"), out, settings=link).data[:]
    numbers = [set(np.unique(plane)) - {0} for plane in labels]
    n_parts = [len(np.unique(plane)) - 1 for plane in volume]
    assert [len(one) for one in numbers] == n_parts
    assert len(set.union(*numbers)) == sum(n_parts)


@pytest.mark.parametrize("shape", [(50, 60), (2, 50, 60)])
@pytest.mark.parametrize("is_linked", [True, False])
def test_an_object_that_smaller_ones_cover_is_none(
    out: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], is_linked: bool
) -> None:
    def halves_on_a_whole(*_: object) -> MaskTable:
        half, whole = np.ones((20, 10), bool), np.ones((20, 20), bool)
        masks = [
            Mask.from_array(array, 10, column, predicted_iou=score, stability_score=1.0)
            for array, column, score in ((half, 10, 0.8), (half, 20, 0.9), (whole, 10, 0.95))
        ]
        return MaskTable.of(masks)

    monkeypatch.setitem(find.FINDERS, "seeds", halves_on_a_whole)
    chosen = SegmentSettings(FindSettings(overlap=1.0), link=LinkSettings(is_linked=is_linked))
    embeddings = blobs.embed(np.full(shape, 200, np.uint8), axes="zyx"[-len(shape) :])
    labels = segment_stack(embeddings, out, settings=chosen)
    n_objects = 2 if is_linked or len(shape) == 2 else 4
    assert labels.data[:].max() == n_objects
    assert set(read_objects(out)["label"].tolist()) == set(range(1, n_objects + 1))
    assert read_record(out)["highest_label"] == n_objects


def test_each_time_point_is_a_stack_of_its_own(volume: NDArray[np.uint8], out: Path) -> None:
    labels = segment_stack(blobs.embed(np.stack([volume] * 2), axes="tzyx"), out).data[:]
    assert blobs.is_same(labels[0], labels[1])
    assert {len(np.unique(one)) for one in labels} == {4}
    assert not set(np.unique(labels[0])) & set(np.unique(labels[1])) - {0}


def test_channels_are_not_linked(volume: NDArray[np.uint8], out: Path) -> None:
    ranges = Intensity((0,) * len(volume), (255,) * len(volume))
    image = open_image(volume, axes="zyx", channel_axis="z", intensity=ranges)
    labels = segment_stack(Embeddings(image, blobs.PixelModel(), halo=blobs.HALO), out).data[:]
    numbers = [set(np.unique(plane)) - {0} for plane in labels]
    assert len(set.union(*numbers)) == sum(len(np.unique(plane)) - 1 for plane in volume)


def test_channels_lie_between_time_and_depth(volume: NDArray[np.uint8], out: Path) -> None:
    pixels = np.zeros((4, 2, 1, 60, 70), np.uint8)  # z, channel, t
    pixels[:3, 1, 0, 20:40, 30:50] = 200
    ranges = Intensity((0, 0), (255, 255))
    image = open_image(pixels, axes="zptyx", channel_axis="p", intensity=ranges)
    planes = [(z, 1, 0) for z in range(4)]
    embeddings = Embeddings(image, blobs.PixelModel(), halo=blobs.HALO)
    labels = segment_stack(embeddings, out, planes=planes)
    assert labels.data.shape == (1, 2, 4, 60, 70)
    assert labels.data.metadata.dimension_names == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(labels.data[0, 1], pixels[:, 1, 0] > 0)
    assert not labels.data[0, 0].any()


def test_linked_along_time_if_asked(volume: NDArray[np.uint8], out: Path) -> None:
    moving = blobs.embed(np.stack([volume] * 2), axes="tzyx")
    along_t = SegmentSettings(link=LinkSettings(axis="t"))
    labels = segment_stack(moving, out, settings=along_t).data[:]
    assert np.array_equal(labels[0], labels[1])
    assert len(np.unique(labels)) - 1 == sum(len(np.unique(plane)) - 1 for plane in volume)


def test_axes_in_another_order(volume: NDArray[np.uint8], out: Path) -> None:
    stacked = np.stack([volume, np.zeros_like(volume)], axis=1)
    labels = segment_stack(blobs.embed(stacked, axes="ztyx"), out)
    assert labels.data.shape == (2, *volume.shape), "t stands in front of z"
    assert np.array_equal(labels.data[0] > 0, volume > 0)
    assert not labels.data[1].any()


def test_a_few_planes(volume: NDArray[np.uint8], out: Path) -> None:
    labels = segment_stack(blobs.embed(volume, axes="zyx"), out, planes=[3, 4]).data[:]
    assert np.array_equal(labels[3:5] > 0, volume[3:5] > 0)
    assert not labels[:3].any()
    assert not labels[5:].any()


def test_many_planes_are_compared_in_blocks(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam.segment.stacks.PLANES_PER_TASK", 2)
    volume = np.zeros((7, 70, 70), np.uint8)
    volume[:, 20:40, 30:50] = 200
    volume[3] = 0
    labels = segment_stack(blobs.embed(volume, axes="zyx"), out).data[:]
    assert np.array_equal(labels, volume > 0), "a missing plane is bridged, also between blocks"


# Regions of the output


def test_shards_are_painted_one_by_one(
    pixels: NDArray[np.uint8], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("run", "write"):
        monkeypatch.setattr(f"napari_sam.segment.{module}.SHARD_SIDE", 64)
    monkeypatch.setattr("napari_sam.segment.write.CHUNK_SIDE", 32)
    monkeypatch.setattr("napari_sam.labels.ome_zarr.CHUNK_SIDE", 32)
    progress = list(iter_segment_stack(blobs.embed(pixels), out))
    assert progress[-1] == Progress("reduce", 1, 1)
    assert max(p.n_total for p in progress if p.stage == "write") == 9
    labels = open_labels(out)
    assert blobs.is_same(labels.data[:], blobs.whole(pixels))
    assert labels.data.shards == (64, 64)
    rows, columns = np.nonzero(labels.data[:])
    assert stored_chunks(labels.data) == set(
        zip((rows // 64).tolist(), (columns // 64).tolist(), strict=True)
    )
    expected = create_labels(out.with_name("b.zarr"), pixels.shape, chunks=(32, 32))
    expected.data[:] = labels.data[:]
    expected.update()
    for one, other in zip(labels.levels, expected.levels, strict=True):
        assert np.array_equal(one[:], other[:])


def test_only_a_region(pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels)
    tiles = list(iter_segment_stack(embeddings, out, region=(0, 0, 60, 100)))
    assert max(p.n_total for p in tiles if p.stage == "find") == 4
    labels = open_labels(out).data[:]
    truth = blobs.whole(pixels)
    inside = [truth[40, 52], truth[20, 20]]
    assert blobs.is_same(labels, np.where(np.isin(truth, inside), truth, 0))


def test_a_polygon(pixels: NDArray[np.uint8], out: Path) -> None:
    around = [[30, 40], [30, 175], [145, 175], [145, 130], [110, 40]]
    labels = segment_stack(blobs.embed(pixels), out, region=around).data[:]
    truth = blobs.whole(pixels)
    inside = [truth[40, 52], truth[100, 60], truth[40, 160], truth[130, 140]]
    assert set(np.unique(truth[labels > 0])) <= set(inside)
    assert labels[40, 52] and labels[130, 140] and not labels[20, 20]


def test_kept_labels_stay(pixels: NDArray[np.uint8], out: Path) -> None:
    keep = np.zeros(pixels.shape, np.uint16)
    keep[32:48, 44:60] = 7  # on the first disc
    keep[118:140, 0:12] = 9  # on half of the last one
    labels = segment_stack(blobs.embed(pixels), out, keep=keep).data[:]
    assert np.array_equal(labels[keep > 0], keep[keep > 0])
    assert set(np.unique(labels)) == {0, 7, 9, *range(10, 14)}


def test_negative_labels_are_background(pixels: NDArray[np.uint8], out: Path) -> None:
    keep = np.full(pixels.shape, -1, np.int32)
    labels = segment_stack(blobs.embed(pixels), out, keep=keep).data[:]
    assert blobs.is_same(labels, blobs.whole(pixels))


# With points


def test_a_grid_of_points(embed: Any, out: Path) -> None:
    """A model without instance maps is asked at points; those on kept objects are left out."""
    rows, columns = np.ogrid[:200, :260]
    centers = [(50, 60), (100, 118), (150, 200)]
    bright = np.any([(rows - y) ** 2 + (columns - x) ** 2 <= 20**2 for y, x in centers], axis=0)
    keep = np.zeros(bright.shape, np.uint8)
    keep[30:71, 40:81] = 5
    grid = find_settings(mode="grid", points_per_side=8, pred_iou=0.8, stability=0.5)
    embeddings = embed(bright)
    answer = embeddings.model.decode  # to one point

    def decode(features: Features, points: torch.Tensor, labels: torch.Tensor) -> Any:
        each = [answer(features, p[None], s[None]) for p, s in zip(points, labels, strict=True)]
        return tuple(map(torch.cat, zip(*each, strict=True)))

    embeddings.model.decode = decode
    labels = segment_stack(embeddings, out, settings=grid, keep=keep).data[:]
    assert [int(labels[center]) for center in centers] == [5, 6, 7]
    assert np.mean((labels > 0) == (bright | (keep > 0))) > 0.99
