"""`napari-sam embed` says what a run takes, does it, and goes on where it was stopped."""

from __future__ import annotations

import socket
import sys

import numpy as np
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner

from napari_sam import cli
from napari_sam.cli.embed import parse_channels, parse_planes
from napari_sam.embedding import Embeddings

from ..image.ome_zarrs import write_ome_zarr
from .segmenting import said

N_TILES = 2 * 2 * 2


@pytest.fixture
def image(tmp_path):
    np.save(tmp_path / "image.npy", np.random.default_rng(0).integers(0, 99, (2, 530, 700), "u1"))
    return tmp_path / "image.npy"


def embed(image, *arguments):
    command = ["embed", str(image), "--store", str(image.with_name("store")), "--device", "cpu"]
    return CliRunner().invoke(cli.app, [*command, *arguments], catch_exceptions=False)


def n_stored(image):
    return len(list(image.with_name("store").rglob("map_0/c.*")))


def test_a_stack(image):
    result = embed(image)
    assert result.exit_code == 0
    assert result.output.startswith(f"{N_TILES - 1} of {N_TILES} tiles to compute: about ")
    assert "on disk" in result.output
    assert result.output.endswith("All tiles are stored.\n")
    assert n_stored(image) == N_TILES
    assert embed(image).output == "All tiles are stored.\n"


def test_some_planes_at_a_coarser_step(image):
    result = embed(image, "--planes", "1", "--step", "2", "--step", "1")
    assert result.exit_code == 0
    assert n_stored(image) == 4 + 1
    assert all(path.name.startswith("c.1.") for path in image.with_name("store").rglob("map_0/c.*"))


def test_a_forecast_alone(image):
    result = embed(image, "--forecast")
    assert result.output.startswith(f"{N_TILES} of {N_TILES} tiles to compute")
    assert len(result.output.splitlines()) == 1
    assert not image.with_name("store").exists()
    embed(image, "--planes", "0")
    assert embed(image, "--forecast").output.startswith(f"{N_TILES // 2 - 1} of {N_TILES} tiles")


def test_one_tile_alone(image):
    one = ["--step", "8", "--planes", "0"]
    assert embed(image, *one, "--forecast").output.startswith("1 of 1 tiles to compute: about ")
    assert embed(image, *one).output == "All tiles are stored.\n"
    assert n_stored(image) == 1


def test_stopping_with_the_keyboard(image, monkeypatch):
    store_tile = Embeddings.store_tile

    def stop_at_the_fifth(self, window):
        if n_stored(image) == 5:
            raise KeyboardInterrupt
        return store_tile(self, window)

    with monkeypatch.context() as patch:
        patch.setattr(Embeddings, "store_tile", stop_at_the_fifth)
        result = embed(image)
    assert result.exit_code == 130
    assert "the same command goes on from here" in result.output
    assert n_stored(image) == 5
    assert embed(image).output.startswith(f"{N_TILES - 6} of {N_TILES} tiles to compute")
    assert n_stored(image) == N_TILES


def test_a_disk_that_is_too_small(image, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(ValueError, match=r"disk is too small.*--step"):
        embed(image)
    assert n_stored(image) == 1


def test_on_a_cluster(image):
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as cluster:
        result = embed(image, "--scheduler", cluster.scheduler_address)
    assert result.exit_code == 0
    assert result.output.endswith("All tiles are stored.\n")
    assert n_stored(image) == N_TILES


def test_no_scheduler_at_the_address(image, monkeypatch):
    monkeypatch.setattr("napari_sam.cli.embed.CONNECT_SECONDS", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        result = embed(image, "--scheduler", address)
    assert result.exit_code == 2
    assert f"no dask scheduler at {address}" in said(result.output)
    assert not image.with_name("store").exists()


def test_without_distributed(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = embed(image, "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "napari-sam[cluster]" in said(result.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--planes", "2"], r"--planes 2 does not fit the image.*0:2"),
        (["--axes", "yx"], "names 2 axes, but the image has 3"),
        (["--channel", "0"], "no channel"),
        (["--level", "1"], "no level 1"),
    ],
)
def test_what_does_not_fit_the_image_is_told(image, monkeypatch, arguments, message):
    command = ["napari-sam", "embed", str(image), "--store", str(image.with_name("store"))]
    monkeypatch.setattr("sys.argv", command + arguments)
    with pytest.raises(SystemExit, match=message):
        cli.main()  # a sentence: Python ends with exit code 1
    assert not image.with_name("store").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.npy"], "There is no file or folder none.npy"),
        (["image.npy", "--store", "none/store"], "There is no folder"),
        (["image.npy", "--model", "huge"], "There is no model 'huge'"),
        (["image.npy", "--checkpoint", "none.pt"], "There is no file 'none.pt'"),
        (["image.npy", "--device", "gpu9"], "device is 'gpu9'"),
        (["image.npy", "--step", "3"], "--step is a power of two such as 0.5, 1 or 2, found 3.0"),
    ],
)
def test_wrong_options(image, monkeypatch, arguments, sentence):
    monkeypatch.chdir(image.parent)
    result = CliRunner().invoke(cli.app, ["embed", "--store", "store", *arguments])
    assert result.exit_code == 2, result.output
    assert sentence in said(result.output)
    assert not image.with_name("store").exists()


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        (None, (), [()]),
        (None, (2, 1), [(0, 0), (1, 0)]),
        ("1", (3,), [(1,)]),
        ("1:", (3,), [(1,), (2,)]),
        (":2", (3,), [(0,), (1,)]),
        ("2,0:2", (3, 4), [(2, 0), (2, 1)]),
    ],
)
def test_planes(text, shape, expected):
    assert parse_planes(text, shape) == expected


@pytest.mark.parametrize(
    ("text", "shape"),
    [("0", ()), ("3", (3,)), ("-1", (3,)), ("2:2", (3,)), ("0", (2, 2)), ("", (3,)), ("a", (3,))],
)
def test_planes_that_are_not_there(text, shape):
    with pytest.raises(ValueError, match="does not fit the image"):
        parse_planes(text, shape)


def test_channels_are_numbers_or_names():
    assert parse_channels(None) is None
    assert parse_channels(["1"]) == 1
    assert parse_channels(["DAPI"]) == "DAPI"
    assert parse_channels(["0", "GFP", "2"]) == [0, "GFP", 2]


def test_a_level_of_a_pyramid(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 99, (900, 700), "u1")
    write_ome_zarr(tmp_path / "image.npy", [pixels, pixels[::3, ::3]], "yx")
    assert embed(tmp_path / "image.npy", "--level", "1").exit_code == 0
    assert n_stored(tmp_path / "image.npy") == 1
