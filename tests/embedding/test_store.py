"""A tile is stored or not, never half; what differs or is damaged is said or computed again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore

from napari_sam.embedding.cache import FeatureCache
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.lru import LRUCache
from napari_sam.embedding.packing import STORED_TYPES, StoredType
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.image import Intensity, Window
from napari_sam.model.features import Features

from . import filling_store

KEY = replace(
    filling_store.KEY,
    plane_shape=(3,),
    level_shapes=((100, 150), (50, 75)),
    level_factors=((1.0, 1.0), (2.0, 2.0)),
    level_offsets=((0.0, 0.0), (0.0, 0.0)),
    image_size=64,
    halo=8,
)


def features(seed: int = 0, scale: float = 1.0) -> Features:
    """Return two maps whose values float16 holds exactly."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (1, 8, 4, 4), (1, 2, 8, 8)
    maps = (scale * torch.randn(shape, generator=generator) for shape in shapes)
    return Features(tuple(m.half().float() for m in maps))


def same(found: Features | None, expected: Features) -> bool:
    return found is not None and all(map(torch.equal, found.maps, expected.maps))


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store.zarr", KEY)


@pytest.fixture
def window(store: EmbeddingStore) -> Window:
    return store.grid(1).window(1, 2, (2,))


def chunks(store: EmbeddingStore) -> list[Path]:
    return sorted(store.path.rglob("c.*"))


# Memory and disk


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, store: EmbeddingStore) -> FeatureCache:
    memory: LRUCache[Window, Features] = LRUCache(1 << 20)
    return memory if request.param == "memory" else store


def test_memory_and_disk_answer_alike(cache: FeatureCache, window: Window) -> None:
    assert isinstance(cache, FeatureCache)
    assert cache.get(window) is None and window not in cache
    cache.put(window, features(1))
    assert window in cache and same(cache.get(window), features(1))
    cache.put(window, features(2))
    assert same(cache.get(window), features(2))
    other = replace(window, plane=(1,))
    assert cache.get(other) is None and other not in cache and "window" not in cache


# Round trips


@st.composite
def stores(draw: st.DrawFn) -> tuple[StoreKey, float]:
    size = draw(st.sampled_from([16, 32, 50]))
    key = replace(
        KEY,
        plane_shape=tuple(draw(st.lists(st.integers(1, 3), max_size=2))),
        level_shapes=((draw(st.integers(1, 300)), draw(st.integers(1, 300))),),
        image_size=size,
        halo=draw(st.integers(0, size // 2 - 2)),
    )
    step = draw(st.sampled_from([0.5, 1.0, 2.0, 4.0]))
    return key, step


@settings(max_examples=25)
@given(stores(), st.data())
def test_what_is_put_is_got_and_nothing_else(
    case: tuple[StoreKey, float], data: st.DataObject
) -> None:
    key, step = case
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddingStore(Path(folder, "store"), key)
        grid = store.grid(step)
        present = np.zeros((*key.plane_shape, *grid.tiles), bool)
        kept: dict[Window, Features] = {}
        tile = st.tuples(*(st.integers(0, n - 1) for n in present.shape))
        for seed, index in enumerate(data.draw(st.lists(tile, min_size=1, max_size=4))):
            window = grid.window(*index[-2:], index[:-2])
            store.put(window, kept.setdefault(window, features(seed)))
            present[index] = True
        again = EmbeddingStore(Path(folder, "store"), key)
        planes = list(np.ndindex(key.plane_shape))
        for plane in planes:
            np.testing.assert_array_equal(again.tiles_present(step, plane), present[plane])
        missing = list(again.iter_missing(planes, step))
        assert len(missing) == len(set(missing)) == np.count_nonzero(~present)
        assert again.count_missing(planes, step) == len(missing)
        assert not set(missing) & set(kept) and not any(map(again.get, missing[:3]))
        assert all(same(again.get(window), kept[window]) for window in kept)
        assert again.count_missing(planes, 2 * step) > 0, "another step is another set of tiles"


def test_windows_that_are_no_tiles_are_not_kept(store: EmbeddingStore) -> None:
    for window in (
        Window(3, 0, 64, 1, (0,)),
        Window(0, 48, 32, 1, (0,)),
        Window(-64, 0, 64, 1, (0,)),
        Window(1e6, 0, 64, 1, (0,)),
    ):
        store.put(window, features())
        assert store.get(window) is None and window not in store
    assert not chunks(store)


def test_a_plane_that_does_not_exist_is_refused(store: EmbeddingStore, window: Window) -> None:
    outside = replace(window, plane=(3,))
    for ask in (store.get, store.__contains__, lambda window: store.put(window, features())):
        with pytest.raises(ValueError, match=r"no plane \(3,\) in the store .*below \(3,\)"):
            ask(outside)
    with pytest.raises(ValueError, match="no plane 5"):
        store.tiles_present(1, 5)


def test_it_is_a_zarr_with_one_chunk_per_tile(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features())
    array: Any = zarr.open_group(store.path, mode="r")["step_1/map_0"]
    assert array.shape == (3, 2, 3, 8, 4, 4) and array.chunks == (1, 1, 1, 8, 4, 4)
    assert array.dtype == np.float16 and array.nchunks_initialized == 1
    np.testing.assert_array_equal(array[2, 1, 2], features().maps[0][0])
    assert [codec["name"] for codec in array.metadata.to_dict()["codecs"]] == ["bytes", "crc32c"]


@pytest.mark.parametrize("dtype", STORED_TYPES)
def test_every_dtype_makes_the_round_trip(
    tmp_path: Path, window: Window, dtype: StoredType
) -> None:
    store = EmbeddingStore(tmp_path / dtype, KEY, dtype=dtype)
    assert store.get(window) is None
    store.put(window, features())
    found = store.get(window)
    assert found is not None
    for got, put in zip(found.maps, features().maps, strict=True):
        torch.testing.assert_close(got, put, rtol=0, atol=0.02 if dtype == "int8" else 0)
    chunks(store)[-1].unlink()
    assert store.get(window) is None and window not in store


def test_zeros_are_stored_too(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features(scale=0))
    assert window in store and same(store.get(window), features(scale=0))


def test_threads_share_a_store(store: EmbeddingStore) -> None:
    windows = list(store.iter_missing(range(3), 1))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: store.put(windows[i], features(i)), range(len(windows))))
        found = list(pool.map(store.get, windows))
    assert all(same(f, features(i)) for i, f in enumerate(found))


def test_features_of_another_kind_are_refused(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features())
    with pytest.raises(ValueError, match="features of one window are stored, found 2"):
        store.put(window, Features((torch.zeros(2, 8, 4, 4),)))
    with pytest.raises(ValueError, match=r"have shapes .*not of the model that the store"):
        store.put(window, Features((torch.zeros(1, 9, 4, 4), torch.zeros(1, 2, 8, 8))))
    assert same(store.get(window), features())


# Damage


def cut(chunk: Path) -> None:
    chunk.write_bytes(chunk.read_bytes()[:-7])


def flip(chunk: Path) -> None:
    data = bytearray(chunk.read_bytes())
    data[len(data) // 3] ^= 4
    chunk.write_bytes(data)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, lambda chunk: chunk.write_bytes(b"")])
def test_a_damaged_tile_is_absent_until_it_is_put_again(
    store: EmbeddingStore, window: Window, damage: Callable[[Path], Any], number: int
) -> None:
    other = replace(window, plane=(0,))
    store.put(window, features(1))
    store.put(other, features(2))
    damage([chunk for chunk in chunks(store) if chunk.name.startswith("c.2.")][number])
    store = EmbeddingStore(store.path, KEY)
    assert store.get(window) is None
    assert window not in store and not store.tiles_present(1, 2).any()
    assert window in set(store.iter_missing([2], 1))
    store.put(window, features(1))
    assert same(store.get(window), features(1)) and same(store.get(other), features(2))


def test_a_damaged_tile_on_a_read_only_disk_is_absent(
    store: EmbeddingStore, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(window, features())
    flip(chunks(store)[0])
    monkeypatch.setattr(Path, "unlink", failing(errno.EROFS))
    assert store.get(window) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"attributes": {"n_maps": "?"}}', None])
@pytest.mark.parametrize("name", ["zarr.json", "map_1/zarr.json"])
def test_damaged_metadata_of_tiles_are_said(
    store: EmbeddingStore, window: Window, name: str, text: str | None
) -> None:
    store.put(window, features())
    file = store.path / "step_1" / name
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    store = EmbeddingStore(store.path, KEY)
    with pytest.raises(ValueError, match=r"metadata of the stored tiles in .*step_1 are damaged"):
        store.get(window)
    shutil.rmtree(store.path / "step_1")  # as the sentence says
    assert store.get(window) is None
    store.put(window, features())
    assert same(store.get(window), features())


def test_a_layout_of_another_grid_is_said(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features())
    file = store.path / "step_1" / "map_0" / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["shape"][1] += 1
    file.write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match=r"map_0 has the layout \(\(3, 3, 3\)"):
        EmbeddingStore(store.path, KEY).get(window)


def test_old_leftovers_are_removed_and_new_ones_kept(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features())
    tiles = store.path / "step_1" / "map_0"
    files = [tiles / f"c.2.1.2.0.0.{digit * 32}.partial" for digit in "ab"]
    folders = [store.path / f"step_2.{digit * 32}.partial" for digit in "ab"]
    ours = store.path.with_name(f"{store.path.name}.{'a' * 32}.partial")
    theirs = store.path.with_name("a thesis.partial")
    for folder in (*folders, ours, theirs):
        folder.mkdir()
    for file in files:
        file.touch()
    for path in (files[0], folders[0], ours, theirs):
        os.utime(path, (0, 0))
    assert EmbeddingStore(store.path, KEY).tiles_present(1, 2).sum() == 1
    assert not any(path.exists() for path in (files[0], folders[0], ours))
    assert all(path.exists() for path in (files[1], folders[1], theirs))


# The disk


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@contextmanager
def limited_files(nbytes: int) -> Iterator[None]:
    """Let no file grow larger, as on a disk that becomes full while a chunk is written."""
    resource: Any = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (errno.ENOSPC, OSError, "disk with the store .* is full.*free some space"),
        (errno.EROFS, OSError, "cannot be written .Read-only file system.*permissions"),
        (errno.EACCES, PermissionError, "cannot be written .Permission denied.*permissions"),
        (errno.EIO, OSError, "cannot be written .Input/output error.*check the disk"),
    ],
)
def test_a_disk_that_refuses_is_said(
    store: EmbeddingStore,
    window: Window,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[OSError],
    sentence: str,
) -> None:
    kept = replace(window, plane=(0,))
    store.put(kept, features(1))
    with monkeypatch.context() as patch:
        patch.setattr("zarr.storage._local._atomic_write", failing(code))
        with pytest.raises(kind, match=sentence) as raised:
            store.put(window, features())
    assert raised.value.errno == code
    assert window not in store and same(store.get(kept), features(1))
    store.put(window, features())
    assert same(store.get(window), features())


def test_a_chunk_that_does_not_fit_leaves_a_good_store(
    store: EmbeddingStore, window: Window
) -> None:
    kept = replace(window, plane=(0,))
    store.put(kept, features(1))
    with limited_files(100), pytest.raises(OSError, match="What is stored stays good"):
        store.put(window, features())
    assert window not in store and same(store.get(kept), features(1))
    assert not list(store.path.rglob("*.partial"))


def test_a_disk_that_is_full_after_one_map_leaves_no_half_tile(
    store: EmbeddingStore, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(replace(window, plane=(0,)), features())
    write = LocalStore.set

    async def write_one(self: LocalStore, key: str, value: Any) -> None:
        if "map_1" in key:
            failing(errno.ENOSPC)()
        await write(self, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", write_one)
        with pytest.raises(OSError, match="full"):
            store.put(window, features())
    assert len(chunks(store)) == 3
    assert window not in store and store.get(window) is None


def test_a_store_that_has_vanished_is_said_and_not_made_again(
    store: EmbeddingStore, window: Window
) -> None:
    store.put(window, features())
    shutil.rmtree(store.path)
    with pytest.raises(FileNotFoundError, match=r"has vanished: bring back its disk"):
        store.put(window, features())
    with pytest.raises(FileNotFoundError, match="has vanished"):
        store.get(window)
    assert not store.path.exists()


# Whose store it is


def test_opening_reads_one_small_file(store: EmbeddingStore, window: Window) -> None:
    store.put(window, features())
    for file in store.path.rglob("*"):
        if file.is_file() and file.parent != store.path:
            file.write_bytes(b"not looked at")
    assert EmbeddingStore(store.path, KEY).key == KEY


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"weights_hash": "c" * 64}, "the weights of the model .found b{12}…, expected c{12}…"),
        ({"model_name": "nano"}, "the model .found fake, expected nano"),
        ({"content_hash": "d" * 64}, "the pixels of the image"),
        ({"plane_shape": (4,)}, r"number of planes .*found \(3,\), expected \(4,\)"),
        ({"level_shapes": ((100, 150),)}, "shapes of the image's levels"),
        ({"pixel_type": "uint16"}, "type of the image's pixels .found uint8, expected uint16"),
        ({"intensity": Intensity((0,), (99,))}, r"the normalization .found low \(0.0,\)"),
        ({"halo": 4}, "the halo of the tiles .found 8, expected 4"),
        ({"halo": 4, "axes": "tyx"}, "the axes .*; the halo"),
    ],
)
def test_a_store_of_something_else_is_refused(
    store: EmbeddingStore, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"choose another path, or delete the store.*{sentence}"):
        EmbeddingStore(store.path, replace(KEY, **changes))
    EmbeddingStore(store.path, KEY)


def test_features_of_another_precision_are_refused(tmp_path: Path) -> None:
    EmbeddingStore(tmp_path / "store", replace(KEY, precision="bfloat16"))
    expected = replace(KEY, precision="float32")
    with pytest.raises(ValueError, match=r"float32\)\. To use it, give precision='bfloat16'\.$"):
        EmbeddingStore(tmp_path / "store", expected)
    with pytest.raises(ValueError, match=r"expected 5\); the precision .*float32\)\.$"):
        EmbeddingStore(tmp_path / "store", replace(expected, halo=5))


def test_the_dtype_is_that_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    assert EmbeddingStore(path, KEY, dtype="int8").dtype == "int8"
    assert EmbeddingStore(path, KEY).dtype == "int8"
    with pytest.raises(ValueError, match="holds int8, expected float16: leave out dtype"):
        EmbeddingStore(path, KEY, dtype="float16")
    with pytest.raises(ValueError, match=r"one of the dtypes .*found 'float64'"):
        EmbeddingStore(path, KEY, dtype="float64")  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["cut", "version", "key", "dtype"])
def test_damaged_metadata_are_said(store: EmbeddingStore, damage: str) -> None:
    file = store.path / "zarr.json"
    metadata = json.loads(file.read_text())
    entries = metadata["attributes"]["napari_sam_embeddings"]
    if damage == "version":
        entries["version"] = 99
    elif damage == "key":
        del entries["key"]["intensity"]
    elif damage == "dtype":
        entries["dtype"] = "float17"
    file.write_text(json.dumps(metadata)[: 50 if damage == "cut" else None])
    with pytest.raises(ValueError, match=r"metadata of the store .* damaged, or of another ver.*"):
        EmbeddingStore(store.path, KEY)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    image = zarr.create_group(tmp_path / "image.zarr")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    for name in ("image.zarr", "notes.txt", "folder"):
        with pytest.raises(FileExistsError, match="is no store of embeddings: choose another path"):
            EmbeddingStore(tmp_path / name, KEY)
    assert not dict(image.attrs) and (tmp_path / "folder" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_becomes_a_store_and_a_missing_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    EmbeddingStore(tmp_path / "empty", KEY)
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone to make the store new.zarr in"):
        EmbeddingStore(tmp_path / "gone" / "new.zarr", KEY)


def test_a_store_cannot_be_made_on_a_read_only_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zarr.storage._local._atomic_write", failing(errno.EROFS))
    with pytest.raises(OSError, match=r"cannot be opened \(Read-only file system\)"):
        EmbeddingStore(tmp_path / "store.zarr", KEY)
    assert not list(tmp_path.iterdir())


def test_of_two_keys_at_once_one_is_refused(tmp_path: Path) -> None:
    keys = [replace(KEY, halo=halo) for halo in range(8)]

    def attempt(key: StoreKey) -> bool:
        try:
            EmbeddingStore(tmp_path / "store.zarr", key)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["store.zarr"]
