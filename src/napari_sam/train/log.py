"""The log of a run: a line of means every so many steps, and the curves."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_sam.train.curves import draw_curves

COLUMNS = ("step", "seconds", "loss", "dense", "oracle", "chosen", "corrected")


class Log:
    """Means of figures over some steps, appended to a CSV file.

    Parameters
    ----------
    path : Path
        A file found there goes on; ``curves.png`` is drawn beside it.
    step : int
        Lines of later steps, which a run wrote that was interrupted before it saved, are removed.
    recent : list of dict
        Figures of the steps since the last line.
    """

    def __init__(self, path: Path, step: int, recent: list[dict[str, float]]) -> None:
        self.path = path
        self.recent = recent
        rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, figures: dict[str, float]) -> None:
        """Take the figures of one step; not every step has all of them."""
        self.recent.append(figures)

    def write(self, step: int, seconds: float) -> None:
        """Append the means since the last line."""
        row: dict[str, float] = {"step": step, "seconds": round(seconds, 1)}
        for name in COLUMNS[2:]:
            known = [figures[name] for figures in self.recent if name in figures]
            if known:
                row[name] = round(sum(known) / len(known), 4)
        self.recent = []
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        draw_curves(self.path, self.path.with_name("curves.png"))
