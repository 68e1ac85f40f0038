"""`napari-sam segment` in this process, and what it leaves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from napari_sam import cli
from napari_sam.labels import open_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["segment", *map(str, arguments)])


def said(text: str) -> str:
    """Return what was told, without the boxes and line breaks that fit it to a terminal."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def labels(path: str | Path) -> NDArray[Any]:
    return np.asarray(open_labels(path, mode="r").data[:])


def names(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())
