"""Where features are kept: in memory, or in a store on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_sam.widgets.predictor import Predictor

ENDING = ".sam.zarr"


@dataclass(frozen=True, eq=False)
class Keep:
    """The work of opening a store, or of doing without one, for a `Lane`.

    Attributes
    ----------
    predictor : Predictor
        Whose features are to be kept elsewhere.
    store : path or None
        Of the store, made if there is none; None: memory.
    """

    predictor: Predictor
    store: Path | None

    def iter_answer(self) -> Iterator[str | Predictor]:
        """Yield what is being done, and then the predictor that keeps features there."""
        yield from self.predictor.iter_answer()
        if self.store is not None:
            yield "Comparing the image with the store …"
        yield self.predictor.kept_in(self.store)


def store_path(folder: Path, image_name: str, model_name: str) -> Path:
    """Return the store that is meant by a folder: itself, or one in it, named after its content.

    A folder is a store if it says so by its name or by its content.
    """
    if folder.suffix == ".zarr" or (folder / "zarr.json").exists():
        return folder
    return folder / f"{_as_file_name(image_name)}-{_as_file_name(model_name)}{ENDING}"


def _as_file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "image"
