"""A process that fills a store; run by `runpy`, to be killed at any moment.

Takes the globals PATH, LOG, and BACKWARD: whether to go through the planes from the last one.
"""

from __future__ import annotations

import os

import numpy as np
import torch

from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.image import Intensity, Window
from napari_sam.model.features import Features

KEY = StoreKey(
    axes="zyx",
    plane_shape=(2,),
    level_shapes=((200, 180),),
    level_factors=((1.0, 1.0),),
    level_offsets=((0.0, 0.0),),
    pixel_type="uint8",
    n_channels=1,
    content_hash="a" * 64,
    intensity=Intensity((0.0,), (255.0,)),
    model_name="fake",
    image_size=32,
    weights_hash="b" * 64,
    halo=4,
)
PLANES, STEP = range(2), 1.0


def encode(window: Window) -> Features:
    """Return two maps that depend on the window only."""
    rng = np.random.default_rng([int(window.y), int(window.x), *window.plane])
    maps = (rng.standard_normal((1, *shape), np.float32) for shape in ((16, 8, 8), (4, 16, 16)))
    return Features(tuple(map(torch.from_numpy, maps)))


def fill(path: str, log: str, backward: bool) -> None:
    """Compute what is missing; note each tile before it is encoded."""
    with open(log, "a") as notes:
        print("start", file=notes, flush=True)
        store = EmbeddingStore(path, KEY)
        for window in store.iter_missing(PLANES[::-1] if backward else PLANES, STEP):
            print(window.plane[0], window.y, window.x, file=notes, flush=True)
            store.put(window, encode(window))
    os._exit(0)


if "PATH" in globals():
    fill(globals()["PATH"], globals()["LOG"], globals()["BACKWARD"])
