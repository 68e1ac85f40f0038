"""Figures as tables in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Figures = Mapping[str, float]


def plain_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format texts as a table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def cells(figures: Figures, columns: Sequence[str]) -> list[str]:
    """Format the figures of a row, of which the first is a count."""
    return [str(round(figures[columns[0]])), *(f"{figures[c]:.3f}" for c in columns[1:])]


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
    rows: list[list[str]] = []

    def add(source: str, methods: Mapping[str, Figures]) -> None:
        rows.extend([source, method, *cells(row, columns)] for method, row in methods.items())

    inside = {name: methods for name, methods in results.items() if name in in_domain}
    for name, methods in inside.items():
        add(name, methods)
    if inside:
        add("**in-domain mean**", mean_over_sources(inside, columns))
    for name, methods in results.items():
        if name not in in_domain:
            add(f"{name} (out of domain)", methods)
    return plain_table(["source", "method", *columns], rows)


def mean_over_sources(
    results: Mapping[str, Mapping[str, Figures]], columns: Sequence[str]
) -> dict[str, dict[str, float]]:
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
