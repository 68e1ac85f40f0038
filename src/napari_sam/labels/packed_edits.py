"""Edits that are kept for long: a few bytes for each row of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sam.labels.edit import Edit
from napari_sam.labels.patch import Patch


@dataclass(frozen=True)
class PackedEdits:
    """Edits in little memory.

    Parameters
    ----------
    before, after : mapping
        What the changed pixels held, and hold since; see `Patch.to_json`.
    """

    before: Mapping[str, Any] = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, edits: Sequence[Edit]) -> PackedEdits:
        """Pack edits, one at least."""
        before = Patch.of([edit.inverse() for edit in edits])
        return cls(before.to_json(), Patch.of(edits).to_json())

    def unpack(self) -> tuple[Edit, ...]:
        """Return the edits; what their regions held besides the changed pixels is forgotten."""
        old, new = Patch.from_json(self.before), Patch.from_json(self.after)
        edits = []
        for region, changed, here in old.iter_regions():
            held, put = np.zeros((2, *changed.shape), old.values.dtype)
            held[changed], put[changed] = old.values[here], new.values[here]
            edits.append(Edit(region, changed, held, put))
        return tuple(edits)
