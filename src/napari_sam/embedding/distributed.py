"""Filling a store on several processes or machines, with dask.distributed.

What travels to a worker is only where image, weights and store are. It opens them by itself, once,
and writes what it encodes into the store, so that nothing has to be sent back: what a killed worker
had in its hands is encoded by another one.
"""

from __future__ import annotations

import io
import mmap
import pickle
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
from distributed import Client, get_worker

from napari_sam.embedding import workers
from napari_sam.embedding.disk_errors import check_there
from napari_sam.embedding.key import StoreKey
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.model.base import Model
from napari_sam.model.computing import precision_of
from napari_sam.model.load import load_model
from napari_sam.model.precision import Precision

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings

TILES_PER_TASK = 4
"""So that few tasks are sent, and workers finish at about the same time."""

MAX_ARRAY_BYTES = 1 << 16
"""A larger array in memory is not sent to the workers."""


@dataclass(frozen=True)
class Work:
    """What a worker opens before it encodes tiles.

    Attributes
    ----------
    image : bytes
        See `describe_image`.
    checkpoint : path or None
        Of the weights; None if they are installed under the name of the model.
    precision : str
        Of the image encoder.
    store : path or None
        Of the store, there already; None if there is none, and features are not kept.
    key : StoreKey
        What is expected of all of them.
    """

    image: bytes
    checkpoint: Path | None
    precision: Precision
    store: Path | None
    key: StoreKey


def iter_on_workers(
    embeddings: Embeddings, windows: Iterator[Window], client: Client
) -> Generator[Window, None, None]:
    """Let workers encode and store tiles; closing the generator cancels what has not begun.

    Parameters
    ----------
    embeddings : Embeddings
        With a store, on a disk that the workers share.
    windows : iterator of Window
        The tiles; asked for as the workers get on.
    client : distributed.Client
        Of a cluster, which may grow and shrink meanwhile.

    Yields
    ------
    Window
        Tiles that are stored now, not in the order they were given.

    Raises
    ------
    TypeError
        If the client is something else.
    ValueError, OSError
        If the workers cannot open the image, the model or the store, or one of them cannot write,
        or several died of the same tiles.
    """
    workers.check_client(client)
    if embeddings.store is None:
        raise ValueError("Workers need a store, as in Embeddings(image, model, store=PATH).")
    work = describe_work(embeddings)
    yield from workers.iter_on_workers(
        store_tiles, work, windows, client, parts_per_task=TILES_PER_TASK
    )


def describe_work(embeddings: Embeddings) -> Work:
    """Return what a worker needs to know.

    Raises
    ------
    ValueError
        If image or model are not where a worker could open them.
    """
    model, store = embeddings.model, embeddings.store
    if model.weights_hash is None:
        raise ValueError(
            f"The workers can't open the model {model.name!r}, whose weights are in memory: save "
            f'them, and use load_model(checkpoint="path/to/the/file").'
        )
    checkpoint = model.checkpoint and model.checkpoint.absolute()
    return Work(
        describe_image(embeddings.image),
        checkpoint,
        precision_of(model),
        None if store is None else store.path.absolute(),
        store.key if store else StoreKey.of(embeddings.image, model, embeddings.halo),
    )


def describe_image(image: Image) -> bytes:
    """Return a pickle of an image that says where its pixels are, and does not hold them.

    Raises
    ------
    ValueError
        If they are in the memory of this process.
    """
    return describe_array(image, "image", "open_image(PATH)")


def describe_array(array: Any, name: str, opened_by: str) -> bytes:
    """Return a pickle of something with arrays that says where they are, and does not hold them.

    Parameters
    ----------
    array : array, or an object with arrays
        On disk.
    name, opened_by : str
        What it is called, and how to open it from disk.

    Raises
    ------
    ValueError
        If they are in the memory of this process.
    """
    written = io.BytesIO()
    try:
        _ImagePickler(written).dump(array)
    except Exception as error:  # of whatever kind of array it is
        reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"The workers can't open the {name}: {reason} Save it, as zarr or TIFF for example, "
            f"and use {opened_by}."
        ) from error
    return written.getvalue()


class _ImagePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Leaves pixels where they are, and makes paths absolute.

    A part of a mapped file is read into memory like any array, since it forgets where it begins.
    """

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, Path):
            return type(thing), (str(thing.absolute()),)
        base: Any = getattr(thing, "base", None)
        if isinstance(thing, np.memmap) and isinstance(base, mmap.mmap):
            order = "F" if thing.flags.fnc else "C"
            path = str(Path(str(thing.filename)).absolute())
            return np.memmap, (path, thing.dtype, "r", thing.offset, thing.shape, order)
        if isinstance(thing, np.ndarray) and thing.nbytes > MAX_ARRAY_BYTES:
            raise ValueError("its pixels are in the memory of this process.")
        return super().reducer_override(thing)


def store_tiles(work: Work, windows: list[Window]) -> None:
    """Encode and store those of the tiles that are absent: the task of a worker."""
    embeddings = open_embeddings(work)
    for window in windows:
        embeddings.store_tile(window)


_opening = threading.Lock()


def open_embeddings(work: Work) -> Embeddings:
    """Return what the work describes, on a worker; opened when it is first asked for.

    Raises
    ------
    ValueError, OSError
        If something is not there, or not the same as where the work was described.
    """
    with _opening:  # once, though a worker may have several threads
        return _open_once(work)


@lru_cache(maxsize=1)
def _open_once(work: Work) -> Embeddings:
    from napari_sam.embedding.embeddings import Embeddings

    model = _load_once(work.key.model_name, work.checkpoint, work.precision, work.key.weights_hash)
    with _explained("the image"):
        image = pickle.loads(work.image)
    if work.store is None:
        with _explained("the image"):
            if differences := StoreKey.of(image, model, work.key.halo).differences(work.key):
                raise ValueError(f"it is not the same as here: {'; '.join(differences)}.")
        return Embeddings(image, model, halo=work.key.halo)
    with _explained("the store, which has to be on a disk that all machines share"):
        check_there(work.store)
        return Embeddings(image, model, halo=work.key.halo, store=work.store)


@lru_cache(maxsize=1)
def _load_once(
    name: str, checkpoint: Path | None, precision: Precision, weights_hash: str
) -> Model:
    with _explained(f"the model {name!r}, which has to be on the disk of every worker"):
        named = name if checkpoint is None else None
        model = load_model(named, checkpoint=checkpoint, precision=precision)
        if model.weights_hash != weights_hash:
            raise ValueError("the weights there are not the same as here.")
    model.name = name
    return model


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Say on which worker something could not be opened."""
    try:
        yield
    except Exception as error:
        kind: Callable[[str], Exception] = OSError if isinstance(error, OSError) else ValueError
        raise kind(f"The worker {get_worker().address} can't open {what}: {error}") from error
