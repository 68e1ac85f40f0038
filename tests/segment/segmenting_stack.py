"""A process that segments a stack of blobs; run by `runpy`, to be killed at any moment.

Takes the globals IMAGE, OUT and LOG.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from napari_sam.segment import find, stack

BLOBS = runpy.run_path(str(Path(__file__).with_name("blobs.py")))


def segment(image: str, out: str, log: str) -> None:
    """Segment; note each tile before it is looked at, and each stage's parts when they are done."""
    find.FINDERS["seeds"] = BLOBS["find_blobs"]
    with open(log, "a") as notes:
        print("start", file=notes, flush=True)
        embeddings = BLOBS["embed"](Path(image))
        for progress in stack.iter_segment_stack(embeddings, out):
            print(progress.stage, file=notes, flush=True)
        print("end", file=notes, flush=True)
    os._exit(0)


if "OUT" in globals():
    segment(globals()["IMAGE"], globals()["OUT"], globals()["LOG"])
