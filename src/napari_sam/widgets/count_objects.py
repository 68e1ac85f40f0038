"""The work of finding out what is in labels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_sam.labels.census import MOST_PARTS, Census, Progress, iter_census
from napari_sam.labels.object_list import ObjectList
from napari_sam.labels.objects import ObjectRecord

PAUSE_S = 0.002
"""After each block, so that the main thread gets its turn."""


@dataclass(frozen=True, eq=False)
class CountObjects:
    """Counts the objects of labels, and joins them with the records that there were.

    Parameters
    ----------
    array : numpy.ndarray or zarr.Array
        The labels.
    records : tuple of ObjectRecord
        What is recorded of them.
    """

    array: Any
    records: tuple[ObjectRecord, ...]

    def iter_answer(self) -> Iterator[str | ObjectList]:
        """Yield how far it is, and at last the list."""
        said = ""
        for news in iter_census(self.array):
            if isinstance(news, Census):
                yield ObjectList(news.shape, news, self.records)
            elif (text := _how_far(news)) != said:
                said = text
                yield text
            time.sleep(PAUSE_S)


def _how_far(progress: Progress) -> str:
    return f"Counting the objects … {progress.n_done / progress.n_total:.0%}"


def too_many(census: Census | None) -> str:
    """Say that the list is not complete, if so."""
    if census is None or census.is_complete:
        return ""
    return f"Too many to list all: those found first, {MOST_PARTS:,} on single planes."
