"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ModelName = Annotated[str | None, typer.Option(help="One of `napari-sam models`; by default nano.")]
Checkpoint = Annotated[Path | None, typer.Option(help="A file of weights, of any model.")]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="Of the image encoder; bfloat16 is faster on some."),
]
