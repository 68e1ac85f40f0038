"""All objects of an image of 1024²: our ways and the reference's automatic mask generator in turn.

Run from the repository, with the packages of the tests installed::

    python -m benchmarks.automatic                         # hours of CPU time
    python -m benchmarks.automatic --points-per-side 8     # minutes; time grows with the points
    python -m benchmarks.automatic --models nano --images CELLS.png --ways exact fast
    python -m benchmarks.automatic --models simulated --images 50-cells 100-cells 150-cells

Each row is a fresh process with one thread, from the image to the masks, encoder included. *SAM* is
a SAM with MobileSAM's encoder and random weights, calibrated so that masks differ from point to
point and some of them pass; *nano* has its real weights, and is driven through the reference's
generator by an adapter. *simulated* is that SAM, which computes all it usually does, but whose
answers are replaced by those of a SAM that knows the objects: its times are real, its masks made up
(see `benchmarks/trained_answers.py`); for it, the points asked are counted, and the known objects
that are found. Of the fast ways, *agreement* is the share of the masks of the exact way that they
find too; an IoU of at least 0.9 counts. *Of objects* is the same once each way has dropped, of two
masks over each other, the one with the lower score, as labels do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from benchmarks.trained_answers import TrainedAnswers, draw_cells
from numpy.typing import NDArray
from PIL import Image
from tests.model import reference_standins
from tests.model.comparison import calibrate, load, spread
from tests.model.references import build_reference

import napari_sam as ns
from napari_sam.image.window import Window
from napari_sam.masks import Mask, MaskTable, rle_to_mask, suppress
from napari_sam.model.precision import upscaling_dtype
from napari_sam.model.sam import TINY_VIT_5M, build_mobile_sam
from napari_sam.model.whole_image import WholeImage
from napari_sam.segment.generate_masks import generate_masks
from napari_sam.segment.grid import GridSearch
from napari_sam.segment.grid_settings import GridSettings
from napari_sam.segment.point_grid import coarse_to_fine, unit_grid

SIDE = 1024
IMAGES = {"natural": skimage.data.coffee, "crowded": skimage.data.coins}
CELLS = "-cells"
"""What ends the name of an image of so many drawn cells."""

THRESHOLDS = {
    "SAM": (0.88, 0.5, 1.0),
    "nano": (0.55, 0.6, 0.7),
    "simulated": (0.88, 0.95, 0.7),
}
"""Model → predicted IoU, stability, and overlap of boxes. Masks of random weights are spots all
over the image, whose boxes would leave one."""

WAYS = ("reference", "exact", "fast, every point", "fast")


def picture(name: str) -> NDArray[np.uint8]:
    """Return some cells, or an image of the library or of a file, cut to a square and resized."""
    if name.endswith(CELLS):
        return np.dstack([draw_cells(int(name.removesuffix(CELLS)), SIDE)[0]] * 3)
    image = Image.fromarray(IMAGES[name]()) if name in IMAGES else Image.open(name)
    image = image.convert("RGB")
    side = min(image.size)
    return np.asarray(image.crop((0, 0, side, side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


class NanoPredictor:
    """What the reference's generator asks of its predictor, answered by one of our models."""

    def __init__(self, model: Any) -> None:
        self.net, self.model, self.device, self.transform = model, self, "cpu", self
        self.mask_threshold = 0.0

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Encode."""
        self.seen = WholeImage(self.net, image)

    def reset_image(self) -> None:
        """Forget the image."""
        del self.seen

    def apply_coords(self, xy: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Map (x, y) of the image to the window."""
        return xy * np.divide(self.seen.window_shape_yx, shape)[::-1]

    def predict_torch(self, points: torch.Tensor, labels: torch.Tensor, **_: Any) -> Any:
        """Decode, and enlarge the logits in two steps, as the reference does."""
        low, predicted_iou = self.net.decode(self.seen.features, points, labels)
        height, width = self.seen.window_shape_yx
        window = F.interpolate(low, (self.net.image_size,) * 2, mode="bilinear")
        masks = F.interpolate(window[..., :height, :width], self.seen.shape_yx, mode="bilinear")
        return masks, predicted_iou, low


def make_weights(path: Path) -> None:
    """Draw the random weights once."""
    reference = build_sam_reference()
    spread(reference)
    image = torch.from_numpy(picture("natural").copy()).permute(2, 0, 1)[None]
    calibrate(reference, image, n_points=12)
    torch.save(reference.state_dict(), path)


def build_sam_reference() -> Any:
    """Build the network of the reference."""
    with reference_standins.installed():
        modeling = importlib.import_module("segment_anything_hq").modeling
    return build_reference(modeling, TINY_VIT_5M, SIDE)


def build(model: str, weights: Path, is_reference: bool) -> Any:
    """Build the reference's generator's predictor, or our model."""
    with reference_standins.installed():
        package = importlib.import_module("segment_anything_hq")
    if model == "nano":
        nano = ns.load_model("nano", device="cpu")
        return NanoPredictor(nano) if is_reference else nano
    reference = build_sam_reference()
    reference.load_state_dict(torch.load(weights))
    reference.eval().requires_grad_(False)
    if is_reference:
        return package.SamPredictor(reference)
    return load(build_mobile_sam("SAM"), reference)


def work(way: str, model: str, image: str, n: int, weights: Path) -> dict[str, Any]:
    """Find everything in one way, in this process."""
    torch.set_num_threads(1)
    pixels, net = picture(image), build(model, weights, way == "reference")
    iou, stability, overlap = THRESHOLDS[model]
    thresholds = {
        "points_per_side": n,
        "pred_iou_thresh": iou,
        "stability_score_thresh": stability,
        "box_nms_thresh": overlap,
        "output_mode": "uncompressed_rle",
    }
    if way.startswith("fast"):
        upscaling_dtype(net)  # measured once for any weights
    answers = None
    if model == "simulated":
        answers = TrainedAnswers(draw_cells(int(image.removesuffix(CELLS)), SIDE)[1])
        answers.replace_those_of(net.model if way == "reference" else net)
    loaded = peak_gb()
    start = time.process_time()
    if way == "reference":
        masks = ask_reference(net, pixels, thresholds)
    elif way == "exact":
        masks = generate_masks(net, pixels, **thresholds)
    else:
        seen = WholeImage(net, pixels)
        window = Window(0, 0, net.image_size, SIDE / net.image_size)
        skips = {"skip_covered": way == "fast", "skip_background": way == "fast"}
        settings = GridSettings(n, iou, stability, margin=0, **skips)
        search = GridSearch(net, seen.features, window, seen.shape_yx, settings)
        places = np.stack(np.divmod(np.arange(n * n), n), axis=1)
        points = window.to_image(unit_grid(n) * net.image_size)  # those of the exact way
        table = MaskTable.concatenate(search.iter_masks(points[coarse_to_fine(places)]))
        masks = table.select(suppress(table, overlap))
    spent = time.process_time() - start
    measured = {"cpu": spent, "peak": peak_gb(), "loaded": loaded, "masks": packed(masks)}
    if answers:
        measured["cpu"] -= answers.seconds
        measured["asked"] = answers.n_asked / n**2
        known = MaskTable.of(map(Mask.from_array, answers.objects()))
        measured["objects"] = share_found(measured["masks"], known)
    return measured


def ask_reference(
    predictor: Any, pixels: NDArray[np.uint8], thresholds: dict[str, Any]
) -> list[dict[str, Any]]:
    """Run the reference's generator with another predictor."""
    module = importlib.import_module("segment_anything_hq.automatic_mask_generator")
    generator = module.SamAutomaticMaskGenerator(build_sam_reference(), **thresholds)
    generator.predictor = predictor
    found: list[dict[str, Any]] = generator.generate(pixels)
    return found


def peak_gb() -> float:
    """Return the largest memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def packed(masks: Any) -> MaskTable:
    """Return masks of any way as a table."""
    if isinstance(masks, MaskTable):
        return masks
    return MaskTable.of(
        replace(rle_to_mask(mask["segmentation"]), predicted_iou=mask["predicted_iou"])
        for mask in masks
    )


def objects(masks: MaskTable) -> MaskTable:
    """Return the masks that become labels: of a part and its whole, only the better one."""
    return masks.select(suppress(masks, 0.5, by="smaller"))


def share_found(found: MaskTable, expected: MaskTable) -> float:
    """Return how many of the expected masks are among those found, with an IoU of 0.9."""
    masks: list[Mask] = list(found)
    return float(np.mean([any(one.iou(mask) >= 0.9 for mask in masks) for one in expected]))


def main() -> None:
    """Measure all ways, models and images, each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--models", nargs="+", default=["SAM", "nano"])
    parser.add_argument("--images", nargs="+", default=list(IMAGES))
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        way, model, image, weights, out = arguments.worker
        result = work(way, model, image, arguments.points_per_side, Path(weights))
        np.savez(out, **result.pop("masks").to_arrays())
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        if {"SAM", "simulated"} & {*arguments.models}:
            make_weights(weights)
        columns = ("", "CPU s", "ratio", "points asked", "peak GB", "of it loaded", "masks")
        columns += ("agreement", "of objects", "known objects found")
        print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
        for model in arguments.models:
            for image in arguments.images:
                measure(model, image, arguments, Path(folder), weights)


def measure(model: str, image: str, arguments: Any, folder: Path, weights: Path) -> None:
    """Print a row for each way."""
    tables: dict[str, MaskTable] = {}
    reference = None
    for way in arguments.ways:
        out = folder / "masks.npz"
        command = [sys.executable, "-m", "benchmarks.automatic"]
        command += ["--points-per-side", str(arguments.points_per_side)]
        command += ["--worker", way, model, image, str(weights), str(out)]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        with np.load(out) as arrays:
            tables[way] = MaskTable.from_arrays(dict(arrays))
        reference = result["cpu"] if way == "reference" else reference
        against = "exact" if way.startswith("fast") else "reference"
        agreement = of_objects = None
        if against in tables:
            agreement = share_found(tables[way], tables[against])
            of_objects = share_found(objects(tables[way]), objects(tables[against]))
        cells = [
            f"{model}, {image}: {way}",
            f"{result['cpu']:.1f}",
            f"{reference / result['cpu']:.1f}" if reference else "–",
            percent(result.get("asked")),
            f"{result['peak']:.2f}",
            f"{result['loaded']:.2f}",
            str(len(tables[way])),
            percent(agreement),
            percent(of_objects),
            percent(result.get("objects")),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def percent(share: float | None) -> str:
    """Return a share to be read."""
    return "–" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    main()
