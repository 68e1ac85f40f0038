"""What an evaluation found, as tables that people read and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from napari_sam.train.clicks import N_CLICKS
from napari_sam.train.evaluate import Figures
from napari_sam.train.scales import variation
from napari_sam.train.tables import cells, markdown_table, mean_over_sources, plain_table

PROMPTS = ("objects", "point", "oracle", "box", "clicks3", "clicks8", "correlation")
AUTOMATIC = ("planes", "msa", "ap50", "f1")
BY_HAND = ("objects", "point", "box", "point alone")
EMPTY = ("tiles", "objects per tile", "highest score")
CLICKS = ("point", *(f"clicks{n}" for n in range(2, N_CLICKS + 1)))

Results = dict[str, dict[str, Figures]]


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
    scales, recordings : dict
        Figures by source and, in each, by the size of the objects and by how they were recorded.
    empty : dict
        Figures by kind of empty tile.
    """

    in_domain: set[str] | None = None
    prompts: Results = field(default_factory=dict)
    automatic: Results = field(default_factory=dict)
    sheets: dict[str, Image.Image] = field(default_factory=dict)
    scales: Results = field(default_factory=dict)
    recordings: Results = field(default_factory=dict)
    empty: dict[str, Figures] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return all tables."""
        return "\n\n".join(self._parts())

    def _parts(self) -> Iterator[str]:
        known = set(self.prompts) if self.in_domain is None else self.in_domain
        yield "## From prompts\n\n" + markdown_table(self.prompts, PROMPTS, known)
        if clicked := self.in_domain_means(self.prompts, ("objects", *CLICKS)):
            yield "## Mean over in-domain sources after 1 … 8 clicks\n\n" + clicks_table(clicked)
        yield "## All objects\n\n" + markdown_table(self.automatic, AUTOMATIC, known)
        if self.scales:
            yield "## Objects of other sizes\n\n" + markdown_table(self.scales, BY_HAND, known)
            if means := self.in_domain_means(self.scales, BY_HAND):
                yield "The in-domain means vary with the size by " + ", ".join(
                    f"± {variation(list(means.values()), measure):.3f} ({measure})"
                    for measure in BY_HAND[1:]
                )
        if self.recordings:
            yield "## Recorded otherwise\n\n" + markdown_table(self.recordings, BY_HAND, known)
        if self.empty:
            rows = [[kind, *cells(row, EMPTY)] for kind, row in self.empty.items()]
            yield "## Empty tiles\n\n" + plain_table(["kind", *EMPTY], rows)

    def in_domain_means(self, results: Results, columns: tuple[str, ...]) -> Mapping[str, Figures]:
        """Return the means over the in-domain sources for each method; the first column's sum."""
        known = set(self.prompts) if self.in_domain is None else self.in_domain
        inside = {name: methods for name, methods in results.items() if name in known}
        return mean_over_sources(inside, columns)

    def save(self, folder: Path) -> None:
        """Write ``figures.md``, ``figures.json`` and ``<source>.png`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "figures.md").write_text(self.markdown() + "\n")
        figures = {
            "prompts": self.prompts,
            "automatic": self.automatic,
            "scales": self.scales,
            "recordings": self.recordings,
            "empty": self.empty,
        }
        figures = {task: found for task, found in figures.items() if found}
        (folder / "figures.json").write_text(json.dumps(_for_json(figures), indent=2) + "\n")
        for source, sheet in self.sheets.items():
            sheet.save(folder / f"{source}.png")


def clicks_table(means: Mapping[str, Figures]) -> str:
    """Format the mean IoU after each click, and say where one more made it worse."""
    head = ["method", *map(str, range(1, N_CLICKS + 1)), "worse with one more click"]
    rows = [
        [method, *(f"{row[c]:.3f}" for c in CLICKS), worse_after(row)]
        for method, row in means.items()
    ]
    return plain_table(head, rows)


def worse_after(figures: Figures) -> str:
    """Tell by how much clicks lowered a mean, if any did, such as ``"click 4: -0.012"``."""
    changes = [
        (n, figures[after] - figures[before])
        for n, (before, after) in enumerate(pairwise(CLICKS), start=2)
    ]
    return ", ".join(f"click {n}: {change:.3f}" for n, change in changes if change < 0) or "never"


def _for_json(found: Any) -> Any:
    """Replace NaN, which JSON does not know."""
    if isinstance(found, dict):
        return {key: _for_json(value) for key, value in found.items()}
    return None if isinstance(found, float) and math.isnan(found) else found
