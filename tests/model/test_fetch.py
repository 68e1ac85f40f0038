from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash
from filelock import FileLock

from napari_sam.model import download, registry
from napari_sam.model.fetch import Cancelled, fetch
from napari_sam.model.registry import ModelSpec, WeightFile, find_model

from .http_server import FileServer, serving

CONTENT = random.Random(0).randbytes(10_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HASHES = {
    "sha256": SHA256,
    "md5": hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
    "xxh128": xxhash.xxh128(CONTENT).hexdigest(),
}

Publish = Callable[..., ModelSpec]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces and short waits; no proxy in between."""
    monkeypatch.setattr(download, "WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(download, "CHUNK_BYTES", 100)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def publish(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Register a model called "tiny" whose files are what the server has."""

    def publish(
        known_hash: str | None = f"sha256:{SHA256}", size_bytes: int = 10_000, exact: bool = True
    ) -> ModelSpec:
        weights = WeightFile("tiny.pth", server.url, size_bytes, exact, known_hash)
        decoder = WeightFile("tiny_decoder.pt", f"{server.url}?2", size_bytes, exact, known_hash)
        spec = ModelSpec("tiny", "Nothing.", "vit_b", "MIT", (weights, decoder))
        monkeypatch.setattr(registry, "published", lambda: (spec,))
        return spec

    return publish


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetched_model_is_installed(publish: Publish, models_folder: Path) -> None:
    spec = publish()
    assert (spec.state, spec.paths) == ("not installed", None)
    paths = fetch("tiny")
    assert paths == (models_folder / "tiny.pth", models_folder / "tiny_decoder.pt") == spec.paths
    assert (spec.weights, spec.instance_decoder, spec.state) == (*paths, "installed")
    assert all(path.read_bytes() == CONTENT for path in paths)
    assert left(models_folder) == [
        "tiny.pth",
        "tiny.pth.json",
        "tiny_decoder.pt",
        "tiny_decoder.pt.json",
    ]


@pytest.mark.parametrize("algorithm", HASHES)
def test_record_says_by_what_it_was_checked(
    publish: Publish, server: FileServer, models_folder: Path, algorithm: str
) -> None:
    publish(f"{algorithm}:{HASHES[algorithm]}")
    fetch("tiny")
    record = json.loads((models_folder / "tiny.pth.json").read_text())
    assert record["checked"] == f"publisher's {algorithm}"
    assert (record["sha256"], record["size_bytes"]) == (SHA256, 10_000)
    assert record["url"] == server.url
    assert record["date"].startswith("20")


def test_hash_that_nobody_published_is_recorded(publish: Publish, models_folder: Path) -> None:
    publish(None)
    fetch("tiny")
    record = json.loads((models_folder / "tiny.pth.json").read_text())
    assert (record["sha256"], record["checked"]) == (SHA256, "first use")


def test_damage_is_no_first_use(publish: Publish, server: FileServer, models_folder: Path) -> None:
    publish(None)
    fetch("tiny")
    (models_folder / "tiny.pth").write_bytes(b"damaged")
    fetch("tiny")
    assert (models_folder / "tiny.pth").read_bytes() == CONTENT
    (models_folder / "tiny.pth").unlink()
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(ValueError, match=rf"{server.url} does not send .* at first use"):
        fetch("tiny")


@pytest.mark.parametrize("algorithm", HASHES)
def test_wrong_bytes_are_not_kept(
    publish: Publish, server: FileServer, models_folder: Path, algorithm: str
) -> None:
    publish(f"{algorithm}:{HASHES[algorithm]}")
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(ValueError, match=rf"{server.url}.*expected {algorithm}:\w+ but got \w+"):
        fetch("tiny")
    assert left(models_folder) == []


@pytest.mark.parametrize("announced", [9_000, 11_000])
def test_wrong_length_is_not_kept(
    publish: Publish, server: FileServer, models_folder: Path, announced: int
) -> None:
    publish(exact=False)
    server.announced = announced
    with pytest.raises((OSError, ValueError), match=server.url):
        fetch("tiny")
    assert not (models_folder / "tiny.pth").exists()


def test_progress_is_that_of_all_files(publish: Publish) -> None:
    publish(size_bytes=9_900, exact=False)
    told: list[tuple[int, int | None]] = []
    fetch("tiny", progress=lambda *now: told.append(now))
    assert told[0] == (100, 19_900)
    assert told[-1] == (20_000, 20_000)
    assert told == sorted(told)


def test_cancelled_download_goes_on(
    publish: Publish, server: FileServer, models_folder: Path
) -> None:
    spec = publish(size_bytes=10_000)
    cancel = threading.Event()

    def cancel_at(here: int, whole: int | None) -> None:
        if here >= 14_000:
            cancel.set()

    with pytest.raises(Cancelled):
        fetch("tiny", progress=cancel_at, cancel=cancel)
    assert spec.installed and not spec.is_complete
    assert spec.present_bytes == 14_000
    server.requests.clear()
    fetch("tiny")
    assert [request["Range"] for request in server.requests] == ["bytes=4000-"]
    assert spec.is_complete


def test_installed_model_is_not_fetched_again(publish: Publish, server: FileServer) -> None:
    publish()
    fetch("tiny")
    server.requests.clear()
    fetch("tiny")
    assert server.requests == []


def test_damaged_model_is_fetched_again(publish: Publish, models_folder: Path) -> None:
    publish()
    (path, _) = fetch("tiny")
    path.write_bytes(b"damaged")
    fetch("tiny")
    assert path.read_bytes() == CONTENT


def test_other_process_fetches_the_same(
    publish: Publish, server: FileServer, models_folder: Path
) -> None:
    publish()
    models_folder.mkdir()
    with (
        FileLock(models_folder / "tiny.pth.part.lock"),
        pytest.raises(OSError, match=r"tiny\.pth is being fetched by another process"),
    ):
        fetch("tiny")
    assert server.requests == []


def test_two_threads_fetch_the_same(publish: Publish) -> None:
    """One of them may be told to wait, but the file is right."""
    spec = publish()
    others: list[Exception] = []

    def run() -> None:
        try:
            fetch("tiny")
        except OSError as error:
            others.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(others) < 4
    assert all("another process" in str(error) for error in others)
    fetch("tiny")
    assert spec.paths is not None
    assert all(path.read_bytes() == CONTENT for path in spec.paths)


def test_lock_of_a_killed_process_holds_nobody_up(publish: Publish, models_folder: Path) -> None:
    spec = publish()
    models_folder.mkdir()
    lock = models_folder / "tiny.pth.part.lock"
    code = f"import filelock, os; filelock.FileLock({str(lock)!r}).acquire(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False)
    fetch("tiny")
    assert spec.installed


def test_disk_without_room_is_told_before(
    publish: Publish, server: FileServer, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(size_bytes=3 * 10**6)
    usage = shutil.disk_usage(models_folder.parent)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"tiny needs 6 MB more, but .* has only 1 MB left"):
        fetch("tiny")
    assert server.requests == []


def test_disk_that_fills_up(publish: Publish, models_folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files on POSIX only")
    publish()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match=r"tiny\.pth could not be fetched: .*nothing was kept"):
            fetch("tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(models_folder) == []


def test_folder_that_cannot_be_made(
    publish: Publish, server: FileServer, models_folder: Path
) -> None:
    publish()
    models_folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"models can't be written.*NAPARI_SAM_MODELS"):
        fetch("tiny")
    assert server.requests == []


def test_folder_that_cannot_be_written(
    publish: Publish, server: FileServer, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    models_folder.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(PermissionError, match=r"models can't be written.*NAPARI_SAM_MODELS"):
        fetch("tiny")
    assert server.requests == []
    assert left(models_folder) == []


@pytest.mark.parametrize("url", ["ftp://example.org/tiny.pth", "file:///etc/hostname"])
def test_only_the_web(monkeypatch: pytest.MonkeyPatch, models_folder: Path, url: str) -> None:
    spec = ModelSpec("tiny", "Nothing.", "vit_b", "MIT", (WeightFile("tiny.pth", url, 10),))
    monkeypatch.setattr(registry, "published", lambda: (spec,))
    with pytest.raises(OSError, match="not an address of the web"):
        fetch("tiny")
    assert left(models_folder) == []


def test_nothing_to_fetch_for_what_is_built_in() -> None:
    with pytest.raises(ValueError, match=r"nothing to fetch for nano: it comes with napari-sam"):
        fetch("nano")


def test_unknown_model() -> None:
    with pytest.raises(ValueError, match="There is no model 'sam3'"):
        fetch("sam3")


def test_fetching_needs_no_torch() -> None:
    code = (
        "import sys, napari_sam.model.fetch, napari_sam.model.weights, napari_sam.cli;"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
    assert find_model("vit_b").state == "not installed"
