from __future__ import annotations

import pytest
import torch

from napari_sam.model.features import Features


@pytest.fixture
def features() -> Features:
    return Features((torch.rand(3, 4, 5, 6), torch.rand(3, 2, 10, 12)))


def test_one_window_of_a_batch(features: Features) -> None:
    one = features[1]
    assert len(features) == 3
    assert len(one) == 1
    assert [m.shape for m in one.maps] == [(1, 4, 5, 6), (1, 2, 10, 12)]
    assert all(torch.equal(a[0], b[1]) for a, b in zip(one.maps, features.maps, strict=True))
    assert torch.equal(features[-1].maps[0], features[2].maps[0])


def test_one_window_does_not_hold_its_batch_in_memory(features: Features) -> None:
    assert features.nbytes == 4 * (3 * 4 * 5 * 6 + 3 * 2 * 10 * 12)
    assert sum(m.untyped_storage().nbytes() for m in features[0].maps) == features.nbytes // 3


def test_iteration_ends(features: Features) -> None:
    assert len(list(features)) == 3
    with pytest.raises(IndexError):
        features[3]
