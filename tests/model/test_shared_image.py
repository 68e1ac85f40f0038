"""Many objects in one image, some cells at a time, as the two-way transformer has them."""

from __future__ import annotations

import pytest
import torch

from napari_sam.model import shared_image
from napari_sam.model.shared_image import SharedImage
from napari_sam.model.transformer import TwoWayTransformer

DIM, HEADS, CELLS, OBJECTS, TOKENS = 32, 2, 50, 3, 5


@pytest.fixture
def transformer() -> TwoWayTransformer:
    torch.manual_seed(0)
    transformer = TwoWayTransformer(3, DIM, HEADS, mlp_dim=64).double()
    for parameter in transformer.parameters():  # biases that matter
        torch.nn.init.normal_(parameter, std=0.3)
    return transformer


def vectors(*shape: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, DIM, generator=random, dtype=torch.float64)


@torch.inference_mode()
@pytest.mark.parametrize("cells_at_once", [1, 7, CELLS])
@pytest.mark.parametrize("n_wanted", [1, TOKENS])
def test_equals_the_transformer(
    transformer: TwoWayTransformer,
    monkeypatch: pytest.MonkeyPatch,
    n_wanted: int,
    cells_at_once: int,
) -> None:
    monkeypatch.setattr(shared_image, "at_a_time", lambda *_, **__: cells_at_once)
    image, positions = vectors(1, CELLS, seed=0), vectors(1, CELLS, seed=1)
    tokens = vectors(OBJECTS, TOKENS, seed=2)
    expected_tokens, expected_image = transformer(tokens, image, positions)
    found, parts = SharedImage(transformer, image, positions).attend(tokens, n_wanted)
    assert [part.shape[1] for part in parts[:-1]] == [cells_at_once] * (len(parts) - 1)
    torch.testing.assert_close(torch.cat(parts, dim=1), expected_image)
    torch.testing.assert_close(found, expected_tokens[:, :n_wanted])


@torch.inference_mode()
def test_the_image_stays_as_it_is(transformer: TwoWayTransformer) -> None:
    """Cells are changed in place, but not those that all objects share."""
    image = vectors(1, CELLS, seed=0)
    before = image.clone()
    shared = SharedImage(transformer, image, vectors(1, CELLS, seed=1))
    tokens = vectors(1, TOKENS, seed=2)
    first, again = (shared.attend(tokens, TOKENS) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert torch.equal(image, before)
