"""An edit that is kept for long: a few bytes for each row of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sam.labels.edit import Edit
from napari_sam.labels.patch import Patch


@dataclass(frozen=True)
class PackedEdit:
    """An edit in little memory.

    Parameters
    ----------
    before, after : mapping
        What the changed pixels held, and hold since; see `Patch.to_json`.
    """

    before: Mapping[str, Any] = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, edit: Edit) -> PackedEdit:
        """Pack an edit."""
        return cls(Patch.of(edit.inverse()).to_json(), Patch.of(edit).to_json())

    def unpack(self) -> Edit:
        """Return the edit; what its region held besides the changed pixels is forgotten."""
        old, new = Patch.from_json(self.before), Patch.from_json(self.after)
        held, put = np.zeros((2, *old.changed.shape), old.values.dtype)
        held[old.changed], put[new.changed] = old.values, new.values
        return Edit(old.region, old.changed, held, put)
