"""Masks from stored features are those from fresh ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

import napari_sam as ns
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.packing import StoredType
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.segment.decode import decode

COINS_YX = [(60, 60), (55, 175), (130, 110), (255, 95), (250, 315)]


@pytest.fixture(scope="module")
def embeddings() -> ns.Embeddings:
    return ns.Embeddings(ns.open_image(data.coins()), ns.load_model("nano"))


@pytest.mark.parametrize(("dtype", "least"), [("float32", 1), ("float16", 0.999), ("int8", 0.99)])
def test_masks_hardly_change(
    embeddings: ns.Embeddings, tmp_path: Path, dtype: StoredType, least: float
) -> None:
    image, model = embeddings.image, embeddings.model
    key = StoreKey.of(image, model, embeddings.halo)
    store = EmbeddingStore(tmp_path / "store.zarr", key, dtype=dtype)
    window = embeddings.window_at(100, 100)
    fresh = embeddings.features(window)
    store.put(window, fresh)
    stored = EmbeddingStore(tmp_path / "store.zarr", key).get(window)
    assert stored is not None
    ious = []
    for point in COINS_YX:
        prompts = ns.Prompts(points=[point])
        masks = (
            decode(model, features, window, prompts, image.shape_yx, multimask=True)
            for features in (fresh, stored)
        )
        ious += [a.iou(b) for a, b in zip(*masks, strict=True)]
    assert np.mean(ious) >= least
