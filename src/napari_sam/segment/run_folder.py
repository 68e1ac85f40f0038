"""The working folder of a run: what each task found, in a file that is there or not."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from napari_sam.embedding.disk_errors import explained

ENDING = ".work"
"""What the name of a working folder has behind that of the output."""

LAYOUT = 1
"""Of the files of tasks, one more whenever it changes: a run is not continued in another one."""

Part = tuple[int, ...]
"""What a task is about: a plane's indices, with a tile's row and column behind them for example."""


@dataclass(frozen=True)
class RunFolder:
    """Arrays in safetensors files, one for each task, named by what the task is about.

    A file is written under another name and renamed, so it is whole or absent, and a run that was
    killed goes on with the files that are absent. Several processes may use one folder.

    Attributes
    ----------
    path : path
        Of the folder.
    """

    path: Path

    @classmethod
    def beside(cls, out: Path) -> RunFolder:
        """Return the working folder of an output."""
        return cls(out.with_name(out.name + ENDING))

    @property
    def labels(self) -> Path:
        """Where the output lies before it is complete."""
        return self.path / "output" / self.path.name.removesuffix(ENDING)

    @property
    def record(self) -> Path:
        """Where it says what the run is made from."""
        return self.path / "run.json"

    @property
    def is_begun(self) -> bool:
        """Whether a run has left something here."""
        return self.record.exists() or (self.path / "find").exists()

    def has(self, stage: str, part: Part) -> bool:
        """Whether a task is done."""
        return self._file(stage, part).exists()

    def save(self, stage: str, part: Part, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what a task found.

        Raises
        ------
        OSError
            If the disk does not take it.
        """
        contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        self.write(self._file(stage, part), save(contiguous))

    def load(self, stage: str, part: Part) -> dict[str, NDArray[Any]]:
        """Return what a task found.

        Raises
        ------
        OSError
            If it is gone, or damaged; then it is removed, to be computed again.
        """
        try:
            return dict(load(self._file(stage, part).read_bytes()))
        except (FileNotFoundError, SafetensorError) as error:
            raise self.discard(stage, part, error) from error

    def discard(self, stage: str, part: Part, why: Exception) -> OSError:
        """Remove what a task found, to be computed again, and return the error that tells it."""
        file = self._file(stage, part)
        file.unlink(missing_ok=True)
        return OSError(
            f"The file {file} is damaged or gone ({why}): run again, and what it held is computed "
            f"anew."
        )

    def write(self, file: Path, content: bytes) -> None:
        """Write a file that appears whole."""
        unfinished = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
        with explained(self.path, "written", "working folder"):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                unfinished.write_bytes(content)
                os.replace(unfinished, file)
            finally:
                unfinished.unlink(missing_ok=True)

    def _file(self, stage: str, part: Part) -> Path:
        *folders, last = ["all", *map(str, part)]
        return self.path.joinpath(stage, ".".join(folders), f"{last}.safetensors")
