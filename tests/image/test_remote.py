"""Zarr on a web server: read-only, window by window, and never waiting without end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_sam.image import Intensity, Window, open_image, remote
from napari_sam.image.unreadable import UnreadableError

from .ome_zarrs import write_ome_zarr, zip_folder

PLAIN = Intensity((0,), (255,))


class FolderServer(ThreadingHTTPServer):
    """Serves a folder, and falls silent or says no where it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.requests: list[str] = []
        self.silent_at: str | None = None
        self.forbidden_at: str | None = None
        self.hides_absent = False
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(SimpleHTTPRequestHandler):
    server: FolderServer

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.is_at(self.server.silent_at):
            self.server.ended.wait(30)
            return
        is_absent = not Path(self.translate_path(self.path)).exists()
        if self.is_at(self.server.forbidden_at) or (self.server.hides_absent and is_absent):
            self.send_error(403)
            return
        super().do_GET()

    def is_at(self, part: str | None) -> bool:
        return part is not None and part in self.path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderServer]:
    monkeypatch.setattr(remote, "SILENCE_S", 0.5)
    server = FolderServer(tmp_path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pixels(tmp_path: Path) -> np.ndarray:
    data = np.random.default_rng(0).integers(0, 256, (3, 256, 256)).astype(np.uint8)
    for version in ("0.4", "0.5"):
        path = tmp_path / f"{version}.zarr"
        levels = [data, data[:, ::2, ::2]]
        write_ome_zarr(path, levels, "zyx", version=version, chunks=(1, 64, 64))
    return data


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("hides_absent", [False, True])
def test_only_the_chunks_of_one_window_are_fetched(
    version: str, hides_absent: bool, server: FolderServer, pixels: np.ndarray
) -> None:
    server.hides_absent = hides_absent
    image = open_image(f"{server.url}/{version}.zarr/", intensity=PLAIN)
    assert (image.axes, image.scale, len(image.levels)) == ("zyx", (1.0, 0.5, 0.5), 2)
    server.requests.clear()
    found = image.read(Window(64, 128, 64, plane=(2,)))
    np.testing.assert_allclose(found[0] * 255, pixels[2, 64:128, 128:192], rtol=1e-6)
    assert server.requests == [f"/{version}.zarr/0/" + ("2.1.2" if version == "0.4" else "c/2/1/2")]


def test_a_remote_zarr_is_read_only(server: FolderServer, pixels: np.ndarray) -> None:
    array: Any = open_image(f"{server.url}/0.5.zarr").levels[0].array
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1


def test_a_server_that_stalls(server: FolderServer, pixels: np.ndarray) -> None:
    server.silent_at = "/c/1/"
    image = open_image(f"{server.url}/0.5.zarr", intensity=PLAIN)
    with pytest.raises(
        UnreadableError,
        match=r"0/c/1/0/0 could not be read: the server was silent for 0\.5 s\. Try",
    ):
        image.read(Window(0, 0, 64, plane=(1,)))
    image.read(Window(0, 0, 64, plane=(2,)))
    server.silent_at = "zarr"
    with pytest.raises(UnreadableError, match="the server was silent"):
        open_image(f"{server.url}/0.5.zarr")


def test_pixels_that_are_forbidden_are_no_background(
    server: FolderServer, pixels: np.ndarray
) -> None:
    server.forbidden_at = "/c/1/"
    image = open_image(f"{server.url}/0.5.zarr", intensity=PLAIN)
    with pytest.raises(UnreadableError, match=r"does not allow it\. .*storage_options"):
        image.read(Window(0, 0, 64, plane=(1,)))


def test_addresses_where_nothing_is(server: FolderServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.zarr is no zarr"):
        open_image(f"{server.url}/nothing.zarr")
    with pytest.raises(UnreadableError, match=r"could not be read: ClientConnectorError.*Check"):
        open_image("http://127.0.0.1:1/image.zarr")
    with pytest.raises(
        ValueError, match="no address that can be read: Protocol not known: nowhere"
    ):
        open_image("nowhere://image.zarr")


def test_single_files_are_not_read_from_a_server() -> None:
    with pytest.raises(ValueError, match=r"single file, and only zarr folders .* download it"):
        open_image("https://127.0.0.1/image.ome.tif")


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ImportError, match=r"http:// needs packages .* pip install fsspec aiohttp"):
        open_image("http://127.0.0.1/image.zarr")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ImportError, match=r"s3:// needs packages .* pip install fsspec aiohttp"):
        open_image("s3://bucket/image.zarr")


def test_an_object_store_by_its_address(pixels: np.ndarray, tmp_path: Path) -> None:
    """As s3:// is read: through whatever fsspec knows, here its memory."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "0.5.zarr"), "/bucket/image.zarr", recursive=True)
    image = open_image("memory://bucket/image.zarr", intensity=PLAIN)
    found = image.read(Window(64, 128, 64, plane=(2,)))
    np.testing.assert_allclose(found[0] * 255, pixels[2, 64:128, 128:192], rtol=1e-6)


def test_file_addresses_are_paths(pixels: np.ndarray, tmp_path: Path) -> None:
    assert open_image((tmp_path / "0.5.zarr").as_uri()).axes == "zyx"
    zip_folder(tmp_path / "0.5.zarr", tmp_path / "a.zip")
    assert open_image((tmp_path / "a.zip").as_uri()).axes == "zyx"


def test_a_remote_group_that_can_not_be_listed(server: FolderServer, tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "group.zarr", mode="w").create_group("inside")
    with pytest.raises(ValueError, match="holds no OME-Zarr image"):
        open_image(f"{server.url}/group.zarr")
