"""Any work in small parts on the workers of a dask cluster, some parts at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, wait

W = TypeVar("W")
P = TypeVar("P")


def iter_on_workers(
    task: Callable[[W, list[P]], None],
    work: W,
    parts: Iterator[P],
    client: Client,
    *,
    parts_per_task: int,
) -> Generator[P, None, None]:
    """Let workers do parts of some work; closing the generator cancels what has not begun.

    A part that a killed worker had in its hands is done by another one, so doing it twice must do
    no harm.

    Parameters
    ----------
    task : callable
        Does some of the parts on a worker, and keeps the results where all find them; nothing is
        sent back.
    work : object
        What the task needs to know beside the parts; sent with every task, so it is small.
    parts : iterator
        Asked for as the workers get on.
    client : distributed.Client
        Of a cluster, which may grow and shrink meanwhile.
    parts_per_task : int
        So that few tasks are sent, and workers finish at about the same time.

    Yields
    ------
    part
        Those that are done, not in the order they were given.

    Raises
    ------
    TypeError
        If the client is something else.
    OSError
        If several workers died of the same parts, or the cluster is gone.
    Exception
        What the task raises.
    """
    check_client(client)
    batches = iter(lambda: list(islice(parts, parts_per_task)), [])
    running: dict[Future[Any], list[P]] = {}
    try:
        while True:
            n_threads = sum(client.nthreads().values())
            for batch in islice(batches, max(2 * max(n_threads, 1) - len(running), 0)):
                running[client.submit(task, work, batch, pure=False)] = batch
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


def check_client(client: object) -> None:
    """Refuse what is no client of a cluster, or is closed."""
    if not isinstance(client, Client) or client.asynchronous:
        raise TypeError(
            f"client is a dask.distributed Client that is not asynchronous, found {client!r}."
        )
    if client.status != "running":
        raise OSError(f"The client is {client.status}, no cluster can be reached: make a new one.")


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
