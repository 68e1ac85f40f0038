"""What float16 and int8 do to features, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.embedding.packing import STORED_TYPES, StoredType, array_names, pack, unpack

finite = st.floats(-60_000, 60_000, width=32)
maps = st.lists(arrays(np.float32, (3, 4, 5), elements=finite), min_size=1, max_size=2)


@pytest.mark.parametrize("dtype", STORED_TYPES)
@given(maps=maps)
def test_what_is_packed_is_unpacked_as_exactly_as_the_type_is(
    dtype: StoredType, maps: list[np.ndarray]
) -> None:
    packed = pack(maps, dtype)
    assert len(packed) == len(array_names(len(maps), dtype))
    found = unpack(packed, dtype)
    assert len(found) == len(maps)
    for values, unpacked in zip(maps, found, strict=True):
        assert unpacked.dtype == np.float32 and unpacked.shape == values.shape
        largest = np.abs(values).max(axis=(1, 2), keepdims=True)
        error = {
            "float32": np.zeros_like(largest),
            "float16": np.abs(values) * 2**-11 + 2**-25,
            "int8": largest / 127 * 0.5001 + 1e-37,
        }[dtype]
        assert (np.abs(unpacked.astype(float) - values) <= error).all()


def test_int8_takes_half_of_float16() -> None:
    maps = [np.ones((128, 64, 64), np.float32)]
    half, whole = (sum(array.nbytes for array in pack(maps, kind)) for kind in ("int8", "float16"))
    assert half == whole / 2 + 128 * 4
    assert pack(maps, "int8")[0].dtype == np.int8
    assert array_names(2, "int8") == ["map_0", "map_0_scale", "map_1", "map_1_scale"]


@pytest.mark.parametrize("value", [65_505, -1e6])
def test_what_float16_cannot_hold_is_refused(value: float) -> None:
    fits, overflows = np.full((2, 2, 2), 65_504, np.float32), np.full((2, 2, 2), value, np.float32)
    assert np.isfinite(pack([fits], "float16")[0]).all()
    with pytest.raises(ValueError, match=r'Feature map 1 holds .*dtype="float32"'):
        pack([fits, overflows], "float16")
    for dtype in ("float32", "int8"):
        np.testing.assert_allclose(unpack(pack([overflows], dtype), dtype)[0], value, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", STORED_TYPES)
def test_what_is_not_finite_is_refused(dtype: StoredType, value: float) -> None:
    values = np.zeros((2, 3, 3), np.float32)
    values[1, 1, 1] = value
    with pytest.raises(ValueError, match="Feature map 0 holds values that are not finite"):
        pack([values], dtype)
