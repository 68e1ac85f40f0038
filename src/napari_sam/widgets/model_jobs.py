"""What the Models dock has done to weights in a thread: fetch, verify, remove, import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, main_thread
from typing import TYPE_CHECKING

from napari_sam.model.fetch import fetch
from napari_sam.model.weights import import_file, import_folder, remove, verify
from napari_sam.widgets.installed import installed
from napari_sam.widgets.pace import size_text

if TYPE_CHECKING:
    from napari_sam.model import ModelSpec


@dataclass(frozen=True)
class Said:
    """How a job ended, in a sentence, and which model is new, if one is."""

    text: str
    new: str | None = None


class Job:
    """Something to do to the weights of a model, for a `Lane`.

    The window looks at `done` and `total` when it likes: reports of every packet would drown it.

    Parameters
    ----------
    name : str
        Name of the model; of the file, before a model has one.
    doing : str
        What is being done, to begin a sentence with: ``"Fetching vit_b"``.
    work : callable
        Does it, given the job, and says how it ended.
    is_fetch : bool
        Whether it can be cancelled and reports its progress.
    is_check : bool
        Whether a ValueError means that the weights are damaged.
    """

    def __init__(
        self,
        name: str,
        doing: str,
        work: Callable[[Job], Said],
        *,
        is_fetch: bool = False,
        is_check: bool = False,
    ) -> None:
        self.name = name
        self.doing = doing
        self.is_fetch = is_fetch
        self.is_check = is_check
        self.cancel = Event()
        self.done = 0
        self.total: int | None = None
        self._work = work

    @property
    def state(self) -> str:
        """What is being done, in a few words for a list."""
        if self.cancel.is_set():
            return "stopping …"
        if self.total:
            return f"fetching · {100 * self.done // self.total} %"
        return f"{self.doing.split()[0].lower()} …"

    def report(self, done: int, total: int | None) -> None:
        """Take note of the progress, in bytes; called in the thread."""
        self.done, self.total = done, total
        if not main_thread().is_alive():  # napari has been left
            self.cancel.set()

    def iter_answer(self) -> Iterator[Said]:
        """Do it, and yield how it ended."""
        installed.jobs[self.name] = self
        try:
            said = self._work(self)
        finally:
            installed.jobs.pop(self.name, None)
        yield said


def fetch_job(spec: ModelSpec) -> Job:
    """Return the job of fetching what is missing of a model."""

    def work(job: Job) -> Said:
        fetch(spec.name, progress=job.report, cancel=job.cancel)
        return Said(f"{spec.name} is installed. Double-click it to segment with it.")

    return Job(spec.name, f"Fetching {spec.name}", work, is_fetch=True)


def verify_job(name: str) -> Job:
    """Return the job of comparing the weights of a model with the hash known of them."""
    return Job(name, f"Verifying {name}", lambda job: Said(verify(name)), is_check=True)


def remove_job(name: str) -> Job:
    """Return the job of deleting the weights of a model."""

    def work(job: Job) -> Said:
        return Said(f"{name} is removed; {size_text(remove(name))} are free again.")

    return Job(name, f"Removing {name}", work)


def import_job(path: Path) -> Job:
    """Return the job of taking over a file of weights, or all of a folder."""

    def work(job: Job) -> Said:
        if not path.is_dir():
            name = import_file(path).name
            return Said(f"{name} is imported. Double-click it to segment with it.", new=name)
        skipped: list[str] = []
        names = [spec.name for spec in import_folder(path, on_skip=skipped.append)]
        if not names:
            return Said(f"{path} holds no published weights. Import a file of your own by itself.")
        others = f" Other files in the folder: {len(skipped)}." if skipped else ""
        return Said(f"Files of {', '.join(names)} are imported.{others}", new=names[0])

    return Job(path.name, f"Importing {path.name}", work)
