"""Figures of an evaluation as tables that people read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sam.train.evaluate import Figures

PROMPTS = ("objects", "point", "oracle", "box", "clicks3", "clicks8", "correlation")
AUTOMATIC = ("planes", "msa", "ap50", "f1")


@dataclass
class Report:
    """What an evaluation found, source by source.

    Attributes
    ----------
    in_domain : set of str, optional
        The sources that the model has learned from. Default: all.
    prompts, automatic : dict
        Figures by source and, in each, by method.
    sheets : dict
        A contact sheet for each source.
    """

    in_domain: set[str] | None = None
    prompts: dict[str, dict[str, Figures]] = field(default_factory=dict)
    automatic: dict[str, dict[str, Figures]] = field(default_factory=dict)
    sheets: dict[str, Image.Image] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return both tables."""
        known = set(self.prompts) if self.in_domain is None else self.in_domain
        return "\n\n".join(
            markdown_table(results, columns, known)
            for results, columns in ((self.prompts, PROMPTS), (self.automatic, AUTOMATIC))
        )

    def save(self, folder: Path) -> None:
        """Write ``figures.md``, ``figures.json`` and ``<source>.png`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "figures.md").write_text(self.markdown() + "\n")
        figures = {
            task: {
                source: {method: _for_json(row) for method, row in methods.items()}
                for source, methods in results.items()
            }
            for task, results in (("prompts", self.prompts), ("automatic", self.automatic))
        }
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
        for source, sheet in self.sheets.items():
            sheet.save(folder / f"{source}.png")


def _for_json(figures: Figures) -> dict[str, float | None]:
    """Replace NaN, which JSON does not know."""
    return {key: None if math.isnan(value) else value for key, value in figures.items()}


def markdown_table(
    results: Mapping[str, Mapping[str, Figures]], columns: Sequence[str], in_domain: set[str]
) -> str:
    """Format figures by source and method, with the means over the in-domain sources.

    Parameters
    ----------
    results : dict
        Figures by source and, in each, by method.
    columns : sequence of str
        Which figures; the first is a count, which is added up.
    in_domain : set of str
        The sources that the model has learned from; the others are named as out of domain.
    """
    lines = ["| source | method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]

    def add(source: str, methods: Mapping[str, Figures]) -> None:
        for method, row in methods.items():
            cells = [str(round(row[columns[0]])), *(f"{row[c]:.3f}" for c in columns[1:])]
            lines.append(f"| {source} | {method} | " + " | ".join(cells) + " |")

    inside = {name: methods for name, methods in results.items() if name in in_domain}
    for name, methods in inside.items():
        add(name, methods)
    if inside:
        add("**in-domain mean**", _mean(inside, columns))
    for name, methods in results.items():
        if name not in in_domain:
            add(f"{name} (out of domain)", methods)
    return "\n".join(lines)


def _mean(
    results: Mapping[str, Mapping[str, Figures]], columns: Sequence[str]
) -> dict[str, Figures]:
    """Return the mean over sources for each method, and the sum of the first column."""
    methods = dict.fromkeys(method for source in results.values() for method in source)
    means = {}
    for method in methods:
        rows = [source[method] for source in results.values() if method in source]
        values = np.array([[row[c] for c in columns] for row in rows], float)
        known = np.isfinite(values)
        sums = np.where(known, values, 0).sum(axis=0)
        mean = np.divide(
            sums, known.sum(axis=0), out=np.full_like(sums, np.nan), where=known.any(0)
        )
        means[method] = dict(zip(columns, [float(sums[0]), *mean[1:].tolist()], strict=True))
    return means
