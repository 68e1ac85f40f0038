"""Published weights into the folder of weights: resumable, checked, all or nothing."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from napari_sam.model.check import hash_of
from napari_sam.model.download import Cancelled, Download, Progress, discard, size_of
from napari_sam.model.record import (
    Record,
    cant_write,
    make_folder,
    read_record,
    weights_folder,
    write_record,
)
from napari_sam.model.registry import ModelSpec, WeightFile, find_model

__all__ = ["Cancelled", "fetch"]


def fetch(
    name: str,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    cancel: threading.Event | None = None,
) -> tuple[Path, ...]:
    """Fetch the published weights of a model, or what is missing of them.

    A download that was cut short or cancelled goes on where it stopped. A file gets its name only
    when it is complete and its hash is the publisher's.

    Parameters
    ----------
    name : str
        One of `list_models`.
    progress : callable, optional
        Called with the bytes that are there and the bytes that there will be, of all files.
    cancel : threading.Event, optional
        Set it, from any thread, to stop.

    Returns
    -------
    tuple of Path
        The weights, then the instance decoder if it has a file of its own.

    Raises
    ------
    ValueError
        If there is no such model, it is not published, or the server sends other bytes than the
        publisher describes.
    OSError
        If the file can't be had or not be written; says why, and how to go on.
    Cancelled
        If `cancel` was set.
    """
    spec = find_model(name)
    if spec.built_in or spec.is_custom:
        origin = "comes with napari-sam" if spec.built_in else "was imported from a file of yours"
        raise ValueError(f"There is nothing to fetch for {name}: it {origin}.")
    make_folder()
    check_space(spec)
    cancel = cancel or threading.Event()
    return tuple(fetch_file(file, among(progress, spec, file), cancel) for file in spec.files)


def check_space(spec: ModelSpec) -> None:
    """Raise OSError unless there is room for what is missing of a model."""
    missing = spec.size_bytes - spec.present_bytes
    free = shutil.disk_usage(weights_folder()).free
    if missing > free:
        raise OSError(
            f"{spec.name} needs {missing / 1e6:,.0f} MB more, but {weights_folder()} has only "
            f"{free / 1e6:,.0f} MB left. Free some space, or name another folder in the "
            "environment variable NAPARI_SAM_MODELS."
        )


def among(progress: Progress | None, spec: ModelSpec, file: WeightFile) -> Progress | None:
    """Return what tells the progress of one file as that of all files of its model."""
    if progress is None:
        return None
    index = spec.files.index(file)
    before = sum(size_of(earlier.target) for earlier in spec.files[:index])
    after = sum(later.size_bytes for later in spec.files[index + 1 :])

    def report(here: int, whole: int | None) -> None:
        progress(before + here, before + (whole or file.size_bytes) + after)

    return report


def fetch_file(file: WeightFile, progress: Progress | None, cancel: threading.Event) -> Path:
    """Fetch one file, unless it is there and whole."""
    import pooch

    download = Download(
        str(file.url), file.part, file.size_bytes, file.is_size_exact, progress, cancel
    )

    def into(_url: str, output: str, _pooch: object) -> None:
        download.run()
        file.part.replace(output)
        discard(file.part)

    with alone(file), quiet(pooch.get_logger()):
        expected = file.known_hash or hash_at_first_use(file)
        try:
            pooch.retrieve(file.url, expected, file.name, weights_folder(), downloader=into)
        except ValueError as error:
            raise ValueError(
                f"{file.url} does not send what its publisher describes, or what it sent at first "
                f"use. {error}"
            ) from error
        record(file)
    return file.target


def hash_at_first_use(file: WeightFile) -> str | None:
    """Return by what a file is known that was here before, or None."""
    known = read_record(file.target)
    return None if known is None else f"sha256:{known.sha256}"


@contextlib.contextmanager
def alone(file: WeightFile) -> Iterator[None]:
    """Keep other processes from fetching the same file at the same time."""
    lock = FileLock(f"{file.part}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OSError(
            f"{file.name} is being fetched by another process; wait until it is done."
        ) from error
    except OSError as error:
        raise OSError(f"{cant_write(weights_folder())} {error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextlib.contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Let a logger tell warnings only, for a while: whoever fetches shows progress as they like."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def record(file: WeightFile) -> None:
    """Write down what was fetched, and by which hash it was checked."""
    path = file.target
    algorithm, _, known = (file.known_hash or "").partition(":")
    sha256 = known if algorithm == "sha256" else hash_of(path)
    checked = f"publisher's {algorithm}" if known else "first use"
    write_record(path, Record(sha256, path.stat().st_size, str(file.url), checked))
