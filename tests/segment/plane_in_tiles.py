"""A process that segments a plane of discs, and prints the highest memory it has held, in MB.

Run as ``python plane_in_tiles.py IMAGE OUT``.
"""

from __future__ import annotations

import resource
import runpy
import sys
from pathlib import Path

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.segment import find
from napari_sam.segment.stack import segment_stack

if __name__ == "__main__":
    blobs = runpy.run_path(str(Path(__file__).with_name("blobs.py")))
    find.FINDERS["seeds"] = blobs["find_blobs"]
    model = blobs["PixelModel"]()
    model.image_size = model.low_res_size = 512
    image = open_image(sys.argv[1], intensity=Intensity((0,), (255,)))
    segment_stack(Embeddings(image, model, cache_bytes=1 << 24), sys.argv[2])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
