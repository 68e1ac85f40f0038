"""Rows as CSV and Parquet files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, TextIO

from napari_sam.labels.export.extra import load_extra

ROWS_AT_ONCE = 10_000
"""Rows of a Parquet file that are held in memory."""


def write_csv(rows: Iterator[dict[str, Any]], columns: Mapping[str, type], path: Path) -> None:
    """Write rows as comma-separated values; NaN is an empty field."""
    with path.open("w", encoding="utf-8", newline="") as file:
        write_lines(rows, columns, file)


def write_lines(
    rows: Iterator[dict[str, Any]], columns: Mapping[str, type], file: TextIO, **options: Any
) -> None:
    """Write rows as lines of text with a header; options as for `csv.writer`."""
    writer = csv.DictWriter(file, list(columns), **options)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if _is_nan(value) else value for name, value in row.items()})


def write_parquet(rows: Iterator[dict[str, Any]], columns: Mapping[str, type], path: Path) -> None:
    """Write rows as Apache Parquet; NaN is null.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    arrow = load_extra("pyarrow", "Writing Parquet")
    parquet = load_extra("pyarrow.parquet", "Writing Parquet")
    types = {int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            cleaned = [{n: None if _is_nan(v) else v for n, v in row.items()} for row in batch]
            writer.write_table(arrow.Table.from_pylist(cleaned, schema=schema))


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and isnan(value)
