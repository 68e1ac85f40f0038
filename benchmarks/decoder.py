"""From a prompt to its masks: our mask decoders and those of the reference packages in turn.

Run from the repository, with the packages of the tests installed::

    python -m benchmarks.decoder

*Decoder* rows go from prompts to low-resolution logits of three masks, *click* rows from a click to
three masks of the size of the image, as `WholeImage.predict` and the reference's `SamPredictor`
give them. Weights are random, so masks are noise all over the image, the worst case for a click;
*click on an object* has logits of three round objects of ordinary sizes instead. The image encoders
are shallow, for they run before the clock does. What the reference's HQ decoder computes for every
prompt anew but ours once per window is a row of its own.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from tests.model import reference_standins
from tests.model.comparison import load, spread
from tests.model.references import build_reference

from napari_sam.model.features import Features
from napari_sam.model.sam import Sam, ViTSize, build_sam
from napari_sam.model.whole_image import WholeImage

ViT_B_WIDTH = 768
SHALLOW = ViTSize(embed_dim=48, depth=1, num_heads=3, global_blocks=())


@dataclass
class Work:
    """Something to measure, and how long it took, as (CPU, wall) milliseconds."""

    name: str
    ours: Callable[[], Any]
    reference: Callable[[], Any] | None = None
    times: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def run(self) -> None:
        """Run the reference and ours once."""
        for who, call in (("reference", self.reference), ("ours", self.ours)):
            if call is not None:
                cpu, wall = time.process_time(), time.perf_counter()
                call()
                spent = time.process_time() - cpu, time.perf_counter() - wall
                self.times.setdefault(who, []).append((1e3 * spent[0], 1e3 * spent[1]))

    def row(self) -> str:
        """Return the medians and their ratio as a row of a table, and forget the times."""
        cells = [self.name]
        for clock in range(2):
            medians = {
                who: statistics.median(spent[clock] for spent in times[1:])  # the first is cold
                for who, times in self.times.items()
            }
            ours, reference = medians["ours"], medians.get("reference")
            cells.append("–" if reference is None else f"{reference:.0f}")
            cells.append(f"{ours:.0f}")
            cells.append("–" if reference is None else f"{reference / ours:.2f}")
        self.times = {}
        return f"| {' | '.join(cells)} |"


def decoders(package: Any, hq: bool) -> tuple[Any, Sam]:
    """Build the reference's network and ours with the same random weights."""
    size = SHALLOW._replace(embed_dim=ViT_B_WIDTH, num_heads=12) if hq else SHALLOW
    reference = build_reference(package.modeling, size, 1024, hq=hq)
    spread(reference)
    return reference, load(build_sam("shallow", size, hq=hq), reference)


def decoder_work(name: str, reference: Any, ours: Sam, n_prompts: int) -> list[Work]:
    """One or more prompts on random features."""
    random = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, 256, 64, 64, generator=random)
    early = torch.randn(1, ViT_B_WIDTH, 64, 64, generator=random)
    points = 1024 * torch.rand(n_prompts, 1, 2, generator=random)
    labels = torch.ones(n_prompts, 1, dtype=torch.int64)
    is_hq = hasattr(reference.mask_decoder, "hf_token")
    of_hq = {"hq_token_only": False, "interm_embeddings": [early.permute(0, 2, 3, 1)]}

    def prepare() -> Features:
        return Features(ours.mask_decoder.feature_maps(embedding, early))

    def ask_reference() -> Any:
        sparse, dense = reference.prompt_encoder((points, labels), None, None)
        return reference.mask_decoder(
            image_embeddings=embedding,
            image_pe=reference.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
            **(of_hq if is_hq else {}),
        )

    features = prepare()
    work = [Work(name, lambda: ours.decode(features, points, labels), ask_reference)]
    return [*work, Work("HQ features, once per window", prepare)] if is_hq else work


def click_work(package: Any, reference: Any, ours: Sam, side: int) -> Work:
    """One click on a square image."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    predictor = package.SamPredictor(reference)
    predictor.set_image(image)
    whole = WholeImage(ours, image)
    yx, label = np.array([[0.4 * side, 0.6 * side]]), np.array([1])
    return Work(
        f"click, {side}²",
        lambda: whole.predict(yx, label),
        lambda: predictor.predict(yx[:, ::-1], label),
    )


def object_work(package: Any, reference: Any, ours: Sam, side: int) -> Work:
    """One click whose logits, once computed, are replaced by those of round objects."""
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    radii = torch.tensor([12.0, 25.0, 50.0]).view(3, 1, 1)  # of 256 samples a side
    round_objects = (radii - torch.hypot(y - 100, x - 150))[None]
    work = click_work(package, reference, ours, side)

    def replaced(call: Callable[[], Any]) -> None:
        hooks = [
            model.mask_decoder.register_forward_hook(
                lambda _, __, answer: (round_objects, answer[1])
            )
            for model in (reference, ours)
        ]
        call()
        for hook in hooks:
            hook.remove()

    return Work(
        f"{work.name}, on an object",
        partial(replaced, work.ours),
        partial(replaced, work.reference),
    )


def main(threads: tuple[int, ...] = (1, 2), repeats: int = 7) -> None:
    """Measure everything with these numbers of threads, and print tables."""
    with reference_standins.installed():
        sam = importlib.import_module("segment_anything")
        hq_sam = importlib.import_module("segment_anything_hq")
    plain, hq = decoders(sam, hq=False), decoders(hq_sam, hq=True)
    all_work = [
        *decoder_work("decoder, 1 prompt", *plain, n_prompts=1),
        *decoder_work("decoder, 16 prompts", *plain, n_prompts=16),
        *decoder_work("HQ decoder, 1 prompt", *hq, n_prompts=1),
        *(click_work(sam, *plain, side) for side in (1024, 2048)),
        *(object_work(sam, *plain, side) for side in (1024, 2048)),
    ]
    for n_threads in threads:
        torch.set_num_threads(n_threads)
        for _ in range(repeats + 1):
            for work in all_work:
                with torch.no_grad():
                    work.run()
        print(f"\n{n_threads} thread(s), median of {repeats}, ms\n")
        print("| | CPU: reference | ours | ratio | wall: reference | ours | ratio |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(work.row() for work in all_work))


if __name__ == "__main__":
    main()
