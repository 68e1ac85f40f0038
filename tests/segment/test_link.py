"""Objects are linked from plane to plane: straight on, over gaps, at splits and merges."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.segment.link import link_planes
from napari_sam.segment.settings import LinkSettings


def link(planes: list[str], positions: list[int] | None = None, **options: float) -> list[str]:
    """Link planes of one row of pixels, each object a digit, and return its numbers so."""
    labels = [np.array([int(c) for c in plane.replace(" ", "0")]) for plane in planes]
    numbers = link_arrays(labels, positions or list(range(len(planes))), LinkSettings(**options))
    return [
        "".join(str(k) if k else " " for k in which[plane])
        for which, plane in zip(numbers, labels, strict=True)
    ]


def link_arrays(
    labels: list[NDArray[np.int64]], positions: list[int], settings: LinkSettings
) -> list[NDArray[np.int64]]:
    areas = [np.bincount(plane, minlength=plane.max(initial=0) + 1) for plane in labels]
    shared = [
        (i, j, a, b, np.count_nonzero((labels[i] == a) & (labels[j] == b)))
        for i, j in combinations(range(len(labels)), 2)
        for a in range(1, len(areas[i]))
        for b in range(1, len(areas[j]))
    ]
    return link_planes(positions, areas, np.array(shared, int).reshape(-1, 5), settings)


def test_straight_on() -> None:
    assert link(["111  22", "222  11", "11   22"]) == ["111  22", "111  22", "11   22"]


def test_new_objects_are_numbered_as_they_come() -> None:
    assert link(["   11 ", "22 11 ", "11   2"]) == ["   11 ", "22 11 ", "22   3"]


def test_too_little_is_shared() -> None:
    planes = ["1111    ", "   1111 "]
    assert link(planes) == ["1111    ", "   2222 "]
    assert link(planes, overlap=0.2) == ["1111    ", "   1111 "]


@pytest.mark.parametrize(("max_gap", "after"), [(0, "222"), (1, "111"), (2, "111")])
def test_a_missing_plane(max_gap: int, after: str) -> None:
    assert link(["111", "   ", "111"], max_gap=max_gap) == ["111", "   ", after]


def test_over_a_gap_only_what_is_alike() -> None:
    assert link(["1    ", "     ", "11111"], max_gap=1) == ["1    ", "     ", "22222"]


@pytest.mark.parametrize(("position", "after"), [(2, "111"), (3, "222")])
def test_planes_that_were_left_out_are_gaps(position: int, after: str) -> None:
    assert link(["111", "111"], positions=[0, position], max_gap=1) == ["111", after]


def test_over_a_gap_only_if_nothing_was_linked_on_this_side() -> None:
    # The second object covers both, and goes on as the first one.
    assert link(["11111   ", " 111111 ", "   11111"], max_gap=1) == [
        "11111   ",
        " 111111 ",
        "   11111",
    ]
    assert link(["1111  ", "111111", "  1111"], max_gap=1) == ["1111  ", "111111", "  1111"]
    assert link(["1 22222", "  22222", "1 22222"], max_gap=1) == ["1 22222", "  22222", "1 22222"]


def test_a_split_keeps_its_number_in_the_larger_branch() -> None:
    assert link(["1111111", "11 2222", "11 2222"]) == ["1111111", "22 1111", "22 1111"]


def test_of_two_that_merge_the_larger_goes_on() -> None:
    assert link(["11 2222", "1111111"]) == ["11 2222", "2222222"]


def test_the_best_overlap_comes_first() -> None:
    # The left one overlaps the long one too, but that is nearer to the right one.
    assert link(["11   ", "2222 ", "1111 "]) == ["11   ", "1111 ", "1111 "]
    assert link(
        ["1122222", "1111111"],
    ) == ["1122222", "2222222"]


def test_a_jump_in_area() -> None:
    planes = ["1      ", "1111111"]
    assert link(planes) == ["1      ", "1111111"], "a tip"
    assert link(planes, max_growth=7) == ["1      ", "1111111"]
    assert link(planes, max_growth=6) == ["1      ", "2222222"]


def test_what_is_in_too_few_planes_is_dropped() -> None:
    planes = ["11 22  ", "11   33", "11     "]
    assert link(planes, min_extent=2) == ["11     ", "11     ", "11     "]
    assert link(["11", "  ", "11"], min_extent=3, max_gap=1) == ["  ", "  ", "  "], "a gap is none"


def test_empty_planes_and_hidden_objects() -> None:
    assert link(["   ", "   "]) == ["   ", "   "]
    hidden = [np.array([9, 0, 5]), np.array([9, 5])]
    shared = np.array([[0, 1, 2, 1, 5]])
    first, second = link_planes([0, 1], hidden, shared, LinkSettings())
    assert (first.tolist(), second.tolist()) == ([0, 0, 1], [0, 1])


planes = st.lists(
    st.lists(st.integers(0, 3), min_size=12, max_size=12).map(np.array), min_size=1, max_size=5
)


@given(planes, st.integers(0, 2), st.floats(0, 1))
def test_chains(planes: list[NDArray[np.int64]], max_gap: int, overlap: float) -> None:
    settings = LinkSettings(max_gap=max_gap, overlap=overlap)
    numbers = link_arrays(planes, list(range(len(planes))), settings)
    for which in numbers:
        own = which[which > 0]
        assert len(set(own.tolist())) == len(own), "one part in each plane at most"
    there = np.concatenate(
        [which[np.unique(plane)] for which, plane in zip(numbers, planes, strict=True)]
    )
    there = there[there > 0]
    first = [int(k) for k in dict.fromkeys(there.tolist())]
    assert first == list(range(1, len(first) + 1)), "numbered without gaps as they come"
