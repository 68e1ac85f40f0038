"""The work of writing the list of objects into a file, or for the clipboard."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.export.table import write_csv, write_lines
from napari_sam.labels.object_list import ObjectList
from napari_sam.labels.object_report import iter_report, report_columns


@dataclass(frozen=True)
class Copied:
    """The list as text, as spreadsheets take it from the clipboard."""

    text: str
    n_objects: int


@dataclass(frozen=True, eq=False)
class WriteObjects:
    """Writes some rows of the list.

    Parameters
    ----------
    objects : ObjectList
        A copy, as others may go on with the list.
    order : (N,) array
        Which rows, in their order.
    path : Path, optional
        Of a CSV file; it may be there already. None: as text.
    """

    objects: ObjectList
    order: NDArray[np.intp]
    path: Path | None

    def iter_answer(self) -> Iterator[str | Copied | Path]:
        """Yield what is being done, and then the text or the path."""
        columns = report_columns(self.objects)
        rows = iter_report(self.objects, self.order.tolist())
        yield "Writing the list …"
        if self.path is not None:
            with new_file(self.path, overwrite=True) as unfinished:
                write_csv(rows, columns, unfinished)
            yield self.path
            return
        text = io.StringIO()
        write_lines(rows, columns, text, dialect="excel-tab", lineterminator="\n")
        yield Copied(text.getvalue(), len(self.order))
