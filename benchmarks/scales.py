"""Whether it matters how many pixels objects measure.

Run from the repository, with a folder of labeled images (see `napari_sam.train.files`)::

    OMP_NUM_THREADS=2 python -m benchmarks.scales DATA [SOURCE ...]

The same parts of planes are scaled until their median object has each size, then their typical
objects are segmented. Mean IoU of the best mask: of a click at the center, as hovering shows it
(one look), as it is answered without a hint (two scales), and with the median diameter told; and of
a tight box. *Again* is the share of clicks that were answered at the second scale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.masks import Candidates, Mask
from napari_sam.model import Model, load_model
from napari_sam.prompts import Prompts
from napari_sam.segment import segment_object
from napari_sam.train.by_hand import Part
from napari_sam.train.clicks import center_point
from napari_sam.train.evaluate import spread
from napari_sam.train.planes import read_planes

SIZES = (8, 14, 20, 36, 72, 150, 300)
SOURCES = ("ads_sem", "dsb_cytology_gray", "dsb_fluo", "usiigaci_phase")
N_PLANES, N_OBJECTS = 2, 5

Way = Callable[[Embeddings, Mask, Prompts, float], Candidates]
WAYS: dict[str, Way] = {
    "one look": lambda seen, _, click, __: segment_object(seen, click, follow=False),
    "two scales": lambda seen, _, click, __: segment_object(seen, click),
    "diameter": lambda seen, _, click, size: segment_object(seen, click, object_diameter=size),
    "box": lambda seen, truth, _, __: segment_object(seen, Prompts(box=tight_box(truth))),
}


def tight_box(mask: Mask) -> tuple[float, float, float, float]:
    """Return (y0, x0, y1, x1) at pixel centers."""
    y0, x0, y1, x1 = mask.box
    return y0, x0, y1 - 1, x1 - 1


def embed(part: Part, model: Model) -> Embeddings:
    """Return a part as the model sees it; its intensities are scaled already."""
    n_channels = part.image.shape[2]
    intensity = Intensity((0,) * n_channels, (1,) * n_channels)
    pixels = part.image if n_channels == 3 else part.image[..., 0]
    return Embeddings(open_image(pixels, intensity=intensity), model)


def iter_ious(part: Part, model: Model) -> Iterator[list[float]]:
    """Yield the IoU of each way for each object, and whether a click was answered elsewhere."""
    seen = embed(part, model)
    for array in part.objects:
        truth, (x, y) = Mask.from_array(array), center_point(array)
        found = [way(seen, truth, Prompts([(y, x)]), part.diameter) for way in WAYS.values()]
        ious = [candidates.best.iou(truth) if candidates else 0.0 for candidates in found]
        one, two = (candidates.window.step for candidates in found[:2] if candidates.window)
        yield [*ious, float(one != two)]


def measure(parts: Sequence[Part], model: Model) -> NDArray[np.float64]:
    """Return the mean of each way, and the share answered elsewhere: a column for each size."""
    columns = []
    for size in SIZES:
        scaled = (part.scaled(size, model.image_size) for part in parts)
        columns.append(np.mean([row for part in scaled for row in iter_ious(part, model)], axis=0))
        print(f"{size} px: {np.round(columns[-1], 3)}", file=sys.stderr)
    return np.column_stack(columns)


def main(folder: Path, sources: Sequence[str]) -> None:
    """Print a row for each way."""
    model = load_model("nano")
    planes = [spread(read_planes(folder / f"{name}.npz"), N_PLANES) for name in sources]
    parts = [Part.richest(plane, N_OBJECTS) for some in planes for plane in some]
    print(f"{sum(len(part.objects) for part in parts)} objects of {', '.join(sources)}\n")
    print("| px |" + "".join(f" {size} |" for size in SIZES) + " ± |")
    print("|---" * (len(SIZES) + 2) + "|")
    for name, row in zip([*WAYS, "again"], measure(parts, model), strict=True):
        figures = "".join(f" {value:.3f} |" for value in row)
        print(f"| {name} |{figures} {np.ptp(row) / 2:.3f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or SOURCES)
