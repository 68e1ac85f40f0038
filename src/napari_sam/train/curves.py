"""Learning curves of a run, from its log to a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PANEL = (480, 260)
MARGIN = 44
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
PANELS = (("loss", "dense"), ("oracle", "chosen", "corrected"))


def read_log(path: Path) -> dict[str, np.ndarray]:
    """Columns of a CSV file of numbers by name; NaN where a cell is empty."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0]}


def draw_curves(log: Path, picture: Path) -> None:
    """Draw the columns of `PANELS` over the step, beside each other, as a PNG."""
    columns = read_log(log)
    width, height = PANEL
    image = Image.new("RGB", (width * len(PANELS), height), "white")
    for i, names in enumerate(PANELS):
        panel = Image.new("RGB", PANEL, "white")
        draw_panel(ImageDraw.Draw(panel), columns, [name for name in names if name in columns])
        image.paste(panel, (i * width, 0))
    image.save(picture)


def draw_panel(draw: ImageDraw.ImageDraw, columns: dict[str, np.ndarray], names: list[str]) -> None:
    """Draw curves in one frame, with its limits and a legend."""
    width, height = PANEL
    steps = columns["step"]
    values = np.concatenate([columns[name] for name in names] or [np.zeros(1)])
    values = values[np.isfinite(values)]
    high = float(np.quantile(values, 0.98)) * 1.1 if values.size and values.max() > 0 else 1.0
    draw.rectangle((MARGIN, 10, width - 10, height - MARGIN), outline="gray")
    draw.text((4, 6), f"{high:.2g}", fill="black")
    draw.text((4, height - MARGIN - 8), "0", fill="black")
    draw.text((width - 90, height - MARGIN + 4), f"step {steps[-1]:.0f}", fill="black")
    for i, name in enumerate(names):
        known = np.isfinite(columns[name])
        x = MARGIN + (width - 10 - MARGIN) * steps[known] / max(steps[-1], 1)
        y = 10 + (height - MARGIN - 10) * (1 - np.minimum(columns[name][known] / high, 1))
        if known.sum() > 1:
            points = np.stack([x, y], axis=1).ravel().tolist()
            draw.line(points, fill=COLORS[i], width=2)
        draw.text((MARGIN + 90 * i, height - MARGIN + 20), name, fill=COLORS[i])
