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
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
from distributed import Client, Future, KilledWorker, get_worker, wait

from napari_sam.embedding.disk_errors import check_there
from napari_sam.embedding.key import StoreKey
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.model.base import Model
from napari_sam.model.load import load_model

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
    store : path
        Of the store, there already.
    key : StoreKey
        What is expected of all of them.
    """

    image: bytes
    checkpoint: Path | None
    store: Path
    key: StoreKey


def iter_on_workers(
    embeddings: Embeddings, windows: Iterator[Window], client: Client
) -> Iterator[Window]:
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
    if not isinstance(client, Client) or client.asynchronous:
        raise TypeError(
            f"client is a dask.distributed Client that is not asynchronous, found {client!r}."
        )
    work = describe_work(embeddings)
    batches = iter(lambda: list(islice(windows, TILES_PER_TASK)), [])
    running: dict[Future[Any], list[Window]] = {}
    try:
        while True:
            n_threads = sum(client.nthreads().values())
            for batch in islice(batches, 2 * max(n_threads, 1) - len(running)):
                running[client.submit(store_tiles, work, batch, pure=False)] = batch
            if not running:
                return
            with _explained_loss(), client.as_current():
                done = wait(list(running), return_when="FIRST_COMPLETED").done
                for future in done:
                    future.result()
            for future in done:
                yield from running.pop(future)
    finally:
        if client.status == "running":
            client.cancel(list(running))


def describe_work(embeddings: Embeddings) -> Work:
    """Return what a worker needs to know.

    Raises
    ------
    ValueError
        If image, model or store are not where a worker could open them.
    """
    model, store = embeddings.model, embeddings.store
    if store is None:
        raise ValueError("Workers need a store, as in Embeddings(image, model, store=PATH).")
    if model.weights_hash is None:
        raise ValueError(
            f"The workers can't open the model {model.name!r}, whose weights are in memory: save "
            f'them, and use load_model(checkpoint="path/to/the/file").'
        )
    checkpoint = model.checkpoint and model.checkpoint.absolute()
    return Work(describe_image(embeddings.image), checkpoint, store.path.absolute(), store.key)


def describe_image(image: Image) -> bytes:
    """Return a pickle of an image that says where its pixels are, and does not hold them.

    Raises
    ------
    ValueError
        If they are in the memory of this process.
    """
    written = io.BytesIO()
    try:
        _ImagePickler(written).dump(image)
    except Exception as error:  # of whatever kind of array it is
        reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"The workers can't open the image: {reason} Save it, as zarr or TIFF for example, and "
            f"use open_image(PATH)."
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
    embeddings = _open(work)
    for window in windows:
        embeddings.store_tile(window)


_opening = threading.Lock()


def _open(work: Work) -> Embeddings:
    with _opening:  # once, though a worker may have several threads
        return _open_once(work)


@lru_cache(maxsize=1)
def _open_once(work: Work) -> Embeddings:
    from napari_sam.embedding.embeddings import Embeddings

    model = _load_once(work.key.model_name, work.checkpoint, work.key.weights_hash)
    with _explained("the image"):
        image = pickle.loads(work.image)
    with _explained("the store, which has to be on a disk that all machines share"):
        check_there(work.store)
        return Embeddings(image, model, halo=work.key.halo, store=work.store)


@lru_cache(maxsize=1)
def _load_once(name: str, checkpoint: Path | None, weights_hash: str) -> Model:
    with _explained(f"the model {name!r}, which has to be on the disk of every worker"):
        model = load_model(name if checkpoint is None else None, checkpoint=checkpoint)
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


@contextmanager
def _explained_loss() -> Iterator[None]:
    """Say what happened to the workers, in a sentence."""
    try:
        yield
    except KilledWorker as error:
        raise OSError(
            f"{error.allowed_failures + 1} workers died of the same tiles, for want of memory "
            f"perhaps. What is stored stays good: give each worker more memory, and go on."
        ) from error
    except CancelledError as error:
        raise OSError(
            "The cluster is gone, or has cancelled the work. What is stored stays good: start it "
            "again, and go on."
        ) from error
