"""The cache never holds more bytes than allowed, and forgets what was not used."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.embedding.lru import LRUCache


@dataclass(frozen=True)
class Value:
    nbytes: int


operations = st.lists(
    st.tuples(st.sampled_from(["get", "put"]), st.integers(0, 6), st.integers(0, 12)), max_size=60
)


@given(operations, st.integers(0, 30))
def test_behaves_like_a_list_of_the_recently_used(
    steps: list[tuple[str, int, int]], max_bytes: int
) -> None:
    cache: LRUCache[int, Value] = LRUCache(max_bytes)
    model: OrderedDict[int, int] = OrderedDict()
    for action, key, nbytes in steps:
        if action == "get":
            found = cache.get(key)
            assert (found.nbytes if found else None) == model.get(key)
            if key in model:
                model.move_to_end(key)
        else:
            cache.put(key, Value(nbytes))
            model.pop(key, None)
            if nbytes <= max_bytes:
                model[key] = nbytes
            while sum(model.values()) > max_bytes:
                model.popitem(last=False)
        assert cache.nbytes == sum(model.values()) <= max_bytes
        assert {key for key in range(7) if key in cache} == set(model)


def test_a_value_too_large_drops_nothing_else() -> None:
    cache: LRUCache[str, Value] = LRUCache(10)
    cache.put("small", Value(4))
    cache.put("large", Value(11))
    assert "small" in cache
    assert "large" not in cache
    assert len(cache) == 1


def test_clear() -> None:
    cache: LRUCache[str, Value] = LRUCache(10)
    cache.put("a", Value(4))
    cache.clear()
    assert (len(cache), cache.nbytes, cache.get("a")) == (0, 0, None)


def test_negative_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="found max_bytes=-1"):
        LRUCache(-1)
