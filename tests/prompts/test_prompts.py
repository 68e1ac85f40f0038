from __future__ import annotations

import numpy as np
import pytest

from napari_sam.prompts import MaskPrompt, Prompts


def test_points_are_positive_unless_labels_say_otherwise():
    prompts = Prompts([[1, 2], [3, 4]])
    assert prompts.labels.tolist() == [1, 1]
    mixed = Prompts([[1, 2], [3, 4], [5, 6]], [1, 0, 1])
    assert mixed.positives.tolist() == [[1, 2], [5, 6]]
    assert mixed.negatives.tolist() == [[3, 4]]


def test_every_change_is_a_new_object():
    empty = Prompts()
    assert empty.is_empty
    one = empty.with_point(1.5, 2.5)
    two = one.with_point(3, 4, positive=False).with_box((0, 1, 8, 9))
    assert empty.is_empty
    assert one == Prompts([[1.5, 2.5]], [1])
    assert two == Prompts([[1.5, 2.5], [3, 4]], [1, 0], (0, 1, 8, 9))
    assert two.without_point(0) == Prompts([[3, 4]], [0], (0, 1, 8, 9))
    assert two.without_point(-1).with_box(None) == one
    with pytest.raises(IndexError):
        one.without_point(1)


def test_a_mask_prompt_counts_as_a_prompt():
    mask = MaskPrompt.from_mask(np.eye(3, dtype=bool), 0, 0)
    prompts = Prompts().with_mask(mask)
    assert not prompts.is_empty
    assert prompts == Prompts(mask=MaskPrompt.from_mask(np.eye(3, dtype=bool), 0, 0))
    assert prompts != Prompts(mask=MaskPrompt.from_mask(np.eye(3, dtype=bool), 0, 1))
    assert prompts.with_mask(None).is_empty


def test_arrays_are_copies_that_cannot_be_changed():
    points = np.array([[1.0, 2.0]])
    prompts = Prompts(points)
    points[:] = 7
    assert prompts.points.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        prompts.points[0, 0] = 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"points": [1, 2]}, r"points have shape \(2,\); expected \(N, 2\)"),
        ({"points": [[1, 2, 3]]}, r"points have shape \(1, 3\)"),
        ({"points": [[np.nan, 2]]}, "points hold NaN or infinity"),
        ({"points": [["a", 2]]}, "points are not an array of numbers"),
        ({"points": [[1, 2]], "labels": [1, 1]}, r"labels have shape \(2,\); expected \(1,\)"),
        ({"points": [[1, 2]], "labels": [2]}, r"labels are \[2\]; expected only 1"),
        ({"points": [[1, 2]], "labels": [-1]}, r"labels are \[-1\]"),
        ({"box": [1, 2, 3]}, r"box has shape \(3,\)"),
        ({"box": [1, 2, np.inf, 3]}, "box hold NaN or infinity"),
        ({"box": [5, 2, 1, 3]}, "expected .* with y0 <= y1"),
    ],
)
def test_bad_prompts_are_refused_with_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Prompts(**arguments)


def test_a_plain_array_is_no_mask_prompt():
    with pytest.raises(TypeError, match="ndarray; make one with"):
        Prompts(mask=np.ones((4, 4)))
