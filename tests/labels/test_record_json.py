"""Records in files, of this version and of older ones."""

from __future__ import annotations

import json

import numpy as np

from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.record_json import record_from_json, record_to_json
from napari_sam.masks import Mask

MASK = Mask.from_array(np.ones((30, 40), bool), 10, 20)


def test_what_was_drawn_around_an_object_is_kept_in_little_space():
    angles = np.linspace(0, 2 * np.pi, 5000)
    circle = 40_000 + 9000 * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    record = ObjectRecord.of(MASK, 3, (1,), outline=circle)
    text = json.dumps(record_to_json(record))
    assert len(text) < 2000
    again = record_from_json(json.loads(text))
    assert again.outline == record.outline
    assert len(again.outline) == 64
    np.testing.assert_allclose(again.outline[0], circle[0], atol=0.01)


def test_records_without_an_outline_are_as_they_were():
    entries = record_to_json(ObjectRecord.of(MASK, 3, (1,)))
    assert "outline" not in entries
    assert record_from_json(entries).outline == ()
