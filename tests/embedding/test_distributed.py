"""Workers open the image by themselves, and fill the store as one process would."""

from __future__ import annotations

import errno
import math
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from distributed import Client, KilledWorker, LocalCluster

from napari_sam.embedding import Embeddings, distributed
from napari_sam.embedding.distributed import describe_image
from napari_sam.embedding.tiles import StoredTiles
from napari_sam.image import Window, open_image
from napari_sam.image.cells import cell_field
from napari_sam.model import load_model
from napari_sam.model.base import Model
from napari_sam.model.computing import precision_of
from napari_sam.model.registry import find_model

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # sockets that are closing

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 530, 700), np.uint8)
N_TILES = 2 * 2 * 2


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster of one worker with two threads, in this process."""
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def nothing_opened() -> None:
    distributed._open_once.cache_clear()
    distributed._load_once.cache_clear()


@pytest.fixture(scope="module")
def nano() -> Model:
    return load_model("nano", device="cpu")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    zarr.create_array(tmp_path / "image.zarr", data=PIXELS, chunks=(1, 256, 256))
    return tmp_path / "image.zarr"


def content(store: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in store.rglob("*")
        if file.is_file()
    }


def test_workers_fill_the_store_as_one_process_does(
    path: Path, tmp_path: Path, nano: Model, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str | None] = []

    def load(name: str | None, **options: Any) -> Model:
        loaded.append(name)
        return load_model(name, **options)

    monkeypatch.setattr(distributed, "load_model", load)
    here, there = (Embeddings(open_image(path), nano, store=tmp_path / n) for n in "ab")
    expected = list(here.iter_compute([0, 1]))
    found = list(there.iter_compute([0, 1], client=client))
    assert [p.n_done for p in found] == list(range(1, N_TILES + 1))
    assert {p.n_tiles for p in found} == {N_TILES}
    assert {p.window for p in found} == {p.window for p in expected}
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert loaded == ["nano"], "once, though there are several threads and tasks"
    assert list(there.iter_compute([0, 1], client=client)) == []


def test_closing_cancels_what_has_not_begun(
    path: Path, tmp_path: Path, nano: Model, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "TILES_PER_TASK", 1)
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    run = embeddings.iter_compute([0, 1], client=client)
    assert len(list(islice(run, 3))) == 3
    run.close()
    assert all(future.status == "finished" for future in client.futures.values())
    rest = [p.n_done for p in embeddings.iter_compute([0, 1], client=client)]
    assert len(rest) < N_TILES
    assert embeddings.store is not None
    assert not embeddings.store.count_missing([0, 1], 1)


# What travels


def npy(folder: Path) -> Any:
    np.save(folder / "a.npy", PIXELS)
    return "a.npy"


def plain_tiff(folder: Path) -> Any:
    tifffile.imwrite(folder / "a.tif", PIXELS)
    return "a.tif"


def tiled_tiff(folder: Path) -> Any:
    tifffile.imwrite(folder / "a.tif", PIXELS, tile=(128, 128), compression="zlib")
    return "a.tif"


def zarr_folder(folder: Path) -> Any:
    zarr.create_array(folder / "a.zarr", data=PIXELS, chunks=(1, 256, 256))
    return "a.zarr"


def zarr_zip(folder: Path) -> Any:
    with zarr.storage.ZipStore(folder / "a.zip", mode="w") as store:
        zarr.create_array(store, data=PIXELS, chunks=(1, 256, 256))
    return "a.zip"


def dask_array(folder: Path) -> Any:
    return da.from_zarr(zarr_folder(folder)).map_blocks(lambda block: block // 2)


def mapped(folder: Path) -> Any:
    return np.load(npy(folder), mmap_mode="r")


def part_of_mapped(folder: Path) -> Any:
    return mapped(folder)[1:]


@pytest.mark.parametrize(
    "save", [npy, plain_tiff, tiled_tiff, zarr_folder, zarr_zip, dask_array, mapped]
)
def test_an_image_is_opened_again_from_another_folder(
    save: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = open_image(save(tmp_path))
    window = Window(17, 30, 64, plane=(1,) * len(image.plane_shape))
    expected = image.read(window)
    described = describe_image(image)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = pickle.loads(described)
    assert np.array_equal(again.read(window), expected)
    assert (again.intensity, len(described) < 10_000) == (image.intensity, True)


def test_what_is_computed_is_computed_there() -> None:
    image = open_image(cell_field((3000, 3000)))
    window = Window(1000, 2000, 64)
    assert np.array_equal(pickle.loads(describe_image(image)).read(window), image.read(window))


@pytest.mark.parametrize("data", [PIXELS, da.from_array(PIXELS), part_of_mapped])
def test_pixels_in_memory_are_not_sent(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = open_image(data(tmp_path) if callable(data) else data)
    with pytest.raises(ValueError, match=r"workers can't open.*in the memory.*open_image\(PATH\)"):
        describe_image(image)


def test_what_cannot_be_pickled_is_said(path: Path) -> None:
    class Stuck:
        def __init__(self) -> None:
            self.array = zarr.open_array(path)
            self.shape, self.dtype = self.array.shape, self.array.dtype

        def __getitem__(self, index: Any) -> Any:
            return self.array[index]

        def __reduce__(self) -> Any:
            raise TypeError("cannot pickle")

    with pytest.raises(ValueError, match=r"workers can't open the image: TypeError: cannot pickle"):
        describe_image(open_image(Stuck()))


# What workers can't do


def compute(embeddings: Embeddings, client: Any) -> None:
    for _ in embeddings.iter_compute([0], client=client):
        pass


def test_a_model_in_memory_is_not_sent(path: Path, tmp_path: Path, client: Client) -> None:
    model = load_model("nano", device="cpu")
    model.weights_hash = None
    embeddings = Embeddings(open_image(path), model, store=tmp_path / "store")
    with pytest.raises(ValueError, match=r"can't open the model 'nano'.*load_model\(checkpoint="):
        compute(embeddings, client)


def test_a_model_that_the_workers_lack(path: Path, tmp_path: Path, client: Client) -> None:
    (weights,) = find_model("nano").paths or ()
    checkpoint = tmp_path / "mine.safetensors"
    shutil.copy(weights, checkpoint)
    model = load_model(checkpoint=checkpoint, device="cpu")
    embeddings = Embeddings(open_image(path), model, store=tmp_path / "store")
    compute(embeddings, client)
    distributed._load_once.cache_clear()
    distributed._open_once.cache_clear()
    checkpoint.unlink()
    embeddings = Embeddings(open_image(path), model, store=tmp_path / "again")
    with pytest.raises(OSError, match=r"worker .* can't open the model 'nano'.*mine.safetensors"):
        compute(embeddings, client)


def test_an_image_that_the_workers_lack(tmp_path: Path, nano: Model, client: Client) -> None:
    np.save(tmp_path / "image.npy", PIXELS)
    embeddings = Embeddings(open_image(tmp_path / "image.npy"), nano, store=tmp_path / "store")
    (tmp_path / "image.npy").rename(tmp_path / "moved.npy")
    with pytest.raises(OSError, match=r"worker .* can't open the image: .*image.npy"):
        compute(embeddings, client)


def test_a_store_that_the_workers_lack(
    path: Path, tmp_path: Path, nano: Model, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    assert embeddings.store is not None
    monkeypatch.setattr(embeddings.store, "path", tmp_path / "only here")
    with pytest.raises(OSError, match=r"can't open the store.*all machines share.*only here"):
        list(distributed.iter_on_workers(embeddings, iter([Window(0, 0, 512)]), client))


def test_another_image_under_the_same_path(
    path: Path, tmp_path: Path, nano: Model, client: Client
) -> None:
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    zarr.open_array(path)[:] = 255 - PIXELS
    with pytest.raises(ValueError, match=r"worker .* made for something else.*the pixels"):
        compute(embeddings, client)


def test_a_full_disk_at_a_worker(
    path: Path, tmp_path: Path, nano: Model, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StoredTiles, "write", full)
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    with pytest.raises(OSError, match=r"disk with the store .* is full"):
        compute(embeddings, client)


def test_tiles_of_which_workers_die(
    path: Path, tmp_path: Path, nano: Model, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KilledWorker("tiles", SimpleNamespace(address="tcp://1"), 3)

    monkeypatch.setattr(distributed, "store_tiles", die)
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    with pytest.raises(OSError, match=r"4 workers died of the same tiles.*more memory"):
        compute(embeddings, client)


def test_something_else_than_a_client(path: Path, tmp_path: Path, nano: Model) -> None:
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    with pytest.raises(TypeError, match=r"dask.distributed Client.*found 'tcp://"):
        compute(embeddings, "tcp://127.0.0.1:8786")


def test_a_client_that_is_closed(path: Path, tmp_path: Path, nano: Model, client: Client) -> None:
    embeddings = Embeddings(open_image(path), nano, store=tmp_path / "store")
    with Client(client.cluster) as another:
        pass
    with pytest.raises(OSError, match=r"The client is closed.*make a new one"):
        compute(embeddings, another)


# Workers that die


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_worker_loses_nothing(tmp_path: Path, nano: Model) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 900, 900), np.uint8)
    zarr.create_array(tmp_path / "image.zarr", data=pixels, chunks=(1, 256, 256))
    there, here = (
        Embeddings(open_image(tmp_path / "image.zarr"), nano, store=tmp_path / name)
        for name in ("there", "here")
    )
    n_tiles = 3 * math.prod(there.grid().tiles)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, timeout=30) as client,
    ):
        pids = list(client.run(os.getpid).values())
        done = []
        for progress in there.iter_compute(range(3), client=client):
            done.append(progress.n_done)
            if len(done) == 5:
                os.kill(pids[0], signal.SIGKILL)
        now = list(client.run(os.getpid).values())
    assert len(pids) == 2
    assert pids[0] not in now
    assert done == list(range(1, n_tiles + 1))
    list(here.iter_compute(range(3)))
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_workers_compute_in_the_same_precision(path: Path) -> None:
    nano = load_model("nano", device="cpu", precision="bfloat16")
    work = distributed.describe_work(Embeddings(open_image(path, axes="zyx"), nano))
    opened = distributed.open_embeddings(work)
    assert precision_of(opened.model) == work.precision == "bfloat16"
