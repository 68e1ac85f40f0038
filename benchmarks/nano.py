"""nano against the smallest SAM: MobileSAM's encoder per pixel, and SAM's decoder per prompt.

Run from the repository, with the packages of the tests installed::

    python -m benchmarks.nano

As many pixels are encoded by both: the reference one window of 1024², nano four of 512².
"""

from __future__ import annotations

import importlib

import torch
from benchmarks.decoder import Work, decoder_work, decoders
from benchmarks.encoder import both, embed
from tests.model import reference_standins

import napari_sam as ns
from napari_sam.model.sam import Sam


def encoder_work() -> Work:
    """As many pixels as one window of SAM."""
    reference, _ = both("vit_t")
    nano, image = ns.load_model("nano", device="cpu"), torch.rand(1, 3, 1024, 1024)
    quarters = image.unfold(2, 512, 512).unfold(3, 512, 512).flatten(2, 3)[0].transpose(0, 1)

    def encode_quarters() -> None:
        for quarter in quarters:
            nano.encode(quarter[None])

    return Work("1024² pixels", encode_quarters, lambda: embed(reference.image_encoder, image))


def prompt_work(reference: object, sam: Sam) -> Work:
    """One click."""
    nano = ns.load_model("nano", device="cpu")
    features = nano.encode(torch.rand(1, 1, 512, 512))
    point, label = torch.tensor([[[250.0, 260.0]]]), torch.tensor([[1]])
    asked = decoder_work("1 prompt", reference, sam, 1)[0].reference
    return Work("1 prompt", lambda: nano.decode(features, point, label), asked)


@torch.inference_mode()
def main(repeats: int = 9) -> None:
    """Print a table of medians, with one thread and with two."""
    with reference_standins.installed():
        package = importlib.import_module("segment_anything")
        work = [encoder_work(), prompt_work(*decoders(package, hq=False))]
        for threads in (1, 2):
            torch.set_num_threads(threads)
            print(f"\n{threads} thread(s), median of {repeats}, ms\n")
            print("| | CPU: reference | nano | ratio | wall: reference | nano | ratio |")
            print("|---|---|---|---|---|---|---|")
            for _ in range(repeats + 1):
                for each in work:
                    each.run()
            for each in work:
                print(each.row(), flush=True)


if __name__ == "__main__":
    main()
