"""How quickly thresholds act on 2000 candidates, without the model.

Run from the repository::

    OMP_NUM_THREADS=1 python -m benchmarks.knobs

1800 discs of 31 pixels across and 200 of 801, at random places with random scores. CPU time of the
first move, and the slowest of six others, for each measure of overlap; a move chooses rows, and
takes their masks.
"""

from __future__ import annotations

import time

import numpy as np

from napari_sam.masks import Knobs, Mask, MaskTable, Thresholds

SIDE = 2000
MOVES = (
    Thresholds(0, 0, overlap=0.3),
    Thresholds(0.5, 0.6),
    Thresholds(0.8, 0.9),
    Thresholds(0, 0, overlap=0.9),
    Thresholds(0, 0, min_area=100),
    Thresholds(0, 0, overlap=0.5),
)


def discs(n: int, radius: int, rng: np.random.Generator) -> list[Mask]:
    """Return discs at random places."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    array = y**2 + x**2 <= radius**2
    corners = rng.integers(0, SIDE - 2 * radius, (n, 2)).tolist()
    scores = rng.uniform((0.3, 0.5), (1, 1), (n, 2)).tolist()
    return [
        Mask.from_array(array, *corner, predicted_iou=iou, stability_score=stability)
        for corner, (iou, stability) in zip(corners, scores, strict=True)
    ]


def cpu_ms(knobs: Knobs, thresholds: Thresholds) -> float:
    """Return the CPU time of one move."""
    start = time.process_time()
    knobs.table.select(knobs.rows(thresholds))
    return 1000 * (time.process_time() - start)


def main() -> None:
    """Print a line for each measure."""
    rng = np.random.default_rng(0)
    table = MaskTable.of([*discs(1800, 15, rng), *discs(200, 400, rng)])
    for by in ("mask", "smaller", "box"):
        knobs = Knobs(table, by)
        first = cpu_ms(knobs, Thresholds(0, 0))
        others = max(cpu_ms(knobs, move) for move in MOVES)
        print(f"{by}: first {first:.0f} ms, others at most {others:.0f} ms")


if __name__ == "__main__":
    main()
