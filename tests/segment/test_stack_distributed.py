"""Workers do the parts of a run, and what a killed one had in its hands is done by another."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster, WorkerPlugin

from napari_sam.embedding import distributed
from napari_sam.segment import find
from napari_sam.segment.stack import iter_segment_stack, segment_stack

from . import blobs

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # sockets that are closing


class BlobsOnWorker(WorkerPlugin):
    """Lets a worker, and one that takes its place, take blobs."""

    def __init__(self, path: str) -> None:
        self.path = path

    def setup(self, worker: Any) -> None:
        install(runpy.run_path(self.path))


def install(names: dict[str, Any]) -> None:
    find.FINDERS["seeds"] = names["find_blobs"]
    model = names["PixelModel"]()
    model.weights_hash = "a" * 64
    distributed.load_model = lambda *_, **__: model


def embed(path: Path) -> Any:
    embeddings = blobs.embed(path)
    embeddings.model.weights_hash = "a" * 64
    return embeddings


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    monkeypatch.setattr(distributed, "load_model", None)
    install(vars(blobs))
    distributed._open_once.cache_clear()
    distributed._load_once.cache_clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    discs = [(y, x, r) for y, x, r in rng.uniform((0, 0, 2), (300, 200, 30), (40, 3)).tolist()]
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    pixels = np.stack([blobs.paint_discs((300, 200), discs)] * 2)
    zarr.create_array(tmp_path / "image.zarr", data=pixels, chunks=(1, 64, 64))
    return tmp_path / "image.zarr"


@pytest.fixture
def client() -> Iterator[Client]:
    """A cluster of one worker with two threads, in this process."""
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.usefixtures("here")
def test_workers_do_what_one_process_does(path: Path, client: Client) -> None:
    embeddings = embed(path)
    segment_stack(embeddings, path.with_name("here") / "a.zarr")
    stages = [
        p.stage
        for p in iter_segment_stack(embeddings, path.with_name("there") / "a.zarr", client=client)
    ]
    assert list(dict.fromkeys(stages)) == ["find", "match", "join", "compare", "link", "write"]
    assert blobs.content(path.with_name("there") / "a.zarr") == blobs.content(
        path.with_name("here") / "a.zarr"
    )


@pytest.mark.usefixtures("here")
def test_what_workers_cannot_open(path: Path, client: Client) -> None:
    keep = np.zeros((2, 300, 200), np.uint16)
    with pytest.raises(ValueError, match=r"workers can't open the labels to keep: .*in the memory"):
        segment_stack(embed(path), path.with_name("a.zarr"), keep=keep, client=client)
    with pytest.raises(ValueError, match=r"workers can't open the image: .*in the memory"):
        segment_stack(embed(np.ones((300, 300), np.uint8)), path.with_name("b.zarr"), client=client)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
@pytest.mark.usefixtures("here")
def test_a_killed_worker_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # workers import this file
    embeddings = embed(path)
    segment_stack(embeddings, path.with_name("here") / "a.zarr")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, timeout=30) as client,
    ):
        client.register_plugin(BlobsOnWorker(str(Path(blobs.__file__))))
        pids = list(client.run(os.getpid).values())
        for i, _ in enumerate(
            iter_segment_stack(embeddings, path.with_name("there") / "a.zarr", client=client)
        ):
            if i == 10:
                os.kill(pids[0], signal.SIGKILL)
        assert pids[0] not in client.run(os.getpid).values()
    assert blobs.content(path.with_name("there") / "a.zarr") == blobs.content(
        path.with_name("here") / "a.zarr"
    )
