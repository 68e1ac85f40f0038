from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.labels.growing_array import GrowingArray

splices = st.tuples(
    st.integers(0, 20), st.integers(0, 5), st.lists(st.integers(0, 9), max_size=5), st.booleans()
)


@given(st.lists(st.integers(0, 9), max_size=20), st.lists(splices, max_size=12))
def test_splices_make_lists_and_leave_what_was_there(values, plan):
    array = GrowingArray(np.array(values, np.int64))
    held = [(array, values)]
    for start, length, new, is_at_end in plan:
        array, values = held[-1] if is_at_end else held[start % len(held)]
        start = len(values) if is_at_end else min(start, len(values))
        stop = min(start + length, len(values))
        changed = array.splice(start, stop, np.array(new, np.int64))
        held.append((changed, values[:start] + new + values[stop:]))
    for array, values in held:
        assert array.values.tolist() == values


def test_what_is_added_at_the_end_costs_no_copy():
    array = GrowingArray(np.arange(100)).splice(100, 100, np.arange(3))
    longer = array.splice(103, 103, np.arange(2))
    assert np.shares_memory(array.values, longer.values)
    other = array.splice(103, 103, np.arange(2))
    assert not np.shares_memory(array.values, other.values)
