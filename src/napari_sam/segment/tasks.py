"""The tasks of a pass: in threads here, or on the workers of a dask cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING

from napari_sam.model.interrupt import interruptible, unwanted
from napari_sam.segment.region import Region
from napari_sam.segment.run import Plane, Run
from napari_sam.segment.run_folder import Part, RunFolder
from napari_sam.segment.settings import SegmentSettings

if TYPE_CHECKING:
    from distributed import Client

    from napari_sam.embedding.distributed import Work

Task = Callable[[Run, Part], None]
"""Does one part of a pass, and saves what it found, or writes it; nothing is returned."""


def iter_tasks(
    task: Task,
    run: Run,
    parts: Iterable[Part],
    *,
    client: Client | None = None,
    n_threads: int = 1,
    parts_per_task: int = 1,
) -> Generator[Part, None, None]:
    """Do the parts of a pass; closing the generator cancels what has not begun.

    What has begun in threads here is given up as soon as it asks (`give_way`).

    Parameters
    ----------
    task : callable
        A function of a module, so that workers find it.
    run : Run
        What it needs to know.
    parts : iterable of Part
        Asked for as the work gets on.
    client : distributed.Client, optional
        Of a cluster. Default: everything is done here.
    n_threads : int
        Here.
    parts_per_task : int
        Sent to a worker at a time.

    Yields
    ------
    Part
        Those that are done, in any order.
    """
    if client is None:
        yield from _iter_here(task, run, iter(parts), n_threads)
        return
    from napari_sam.embedding.workers import iter_on_workers

    job = describe_job(run, task)
    with closing(
        iter_on_workers(do_parts, job, iter(parts), client, parts_per_task=parts_per_task)
    ) as done:
        yield from done


def _iter_here(
    task: Task, run: Run, parts: Iterable[Part], n_threads: int
) -> Generator[Part, None, None]:
    if n_threads == 1:
        for part in parts:
            task(run, part)
            yield part
        return
    running: dict[Future[None], Part] = {}
    is_over, is_unwanted = Event(), unwanted()

    def do(part: Part) -> None:
        with interruptible(lambda: is_over.is_set() or is_unwanted()):
            task(run, part)

    pool = ThreadPoolExecutor(n_threads)
    try:
        while True:
            for part in islice(parts, n_threads - len(running)):
                running[pool.submit(copy_context().run, do, part)] = part
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                yield running.pop(future)
    finally:
        is_over.set()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Job:
    """What is sent to a worker instead of a `Run`: where things are.

    Attributes
    ----------
    task : callable
        See `Task`.
    work : Work
        Image, model and store.
    folder : RunFolder
        On a disk that all machines share.
    keep : bytes or None
        See `describe_array`.
    settings, planes, region
        As of `Run`.
    """

    task: Task
    work: Work
    folder: RunFolder
    settings: SegmentSettings
    planes: tuple[Plane, ...]
    region: Region | None
    keep: bytes | None


def describe_job(run: Run, task: Task) -> Job:
    """Return what a worker needs to know.

    Raises
    ------
    ValueError
        If image, model or kept labels are not where a worker could open them.
    """
    from napari_sam.embedding.distributed import describe_array, describe_work

    folder = RunFolder(run.folder.path.absolute())
    keep = None
    if run.keep is not None:
        keep = describe_array(run.keep, "labels to keep", "open_labels(PATH).data")
    work = describe_work(run.embeddings)
    return Job(task, work, folder, run.settings, run.planes, run.region, keep)


def do_parts(job: Job, parts: list[Part]) -> None:
    """Do some parts of a pass, on a worker."""
    from napari_sam.embedding.distributed import open_embeddings

    keep = None if job.keep is None else pickle.loads(job.keep)
    embeddings = open_embeddings(job.work)  # once on each worker
    run = Run(embeddings, job.folder, job.settings, job.planes, job.region, keep)
    for part in parts:
        job.task(run, part)
