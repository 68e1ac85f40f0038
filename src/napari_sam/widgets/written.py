"""What was written into a labels layer, to be taken back and done again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from napari_sam.labels.change import Change, PackedChange

if TYPE_CHECKING:
    from napari.layers import Labels


@dataclass(frozen=True, eq=False)
class Written:
    """One change of a labels layer.

    Parameters
    ----------
    layer : Labels
        Which.
    change : Change
        What was done to its pixels and records.
    says : str
        A sentence on it.
    label : int
        The id that was given, the highest if several; 0 if none.
    n_objects : int
        How many got an id.
    """

    layer: Labels
    change: Change
    says: str
    label: int = 0
    n_objects: int = 0

    @property
    def n_changed(self) -> int:
        """Number of pixels that got another value."""
        return self.change.n_changed

    def packed(self) -> PackedWritten:
        """Return the same in little memory."""
        return PackedWritten(replace(self, change=Change()), self.change.packed())

    def unpacked(self) -> Written:
        """Return this."""
        return self


@dataclass(frozen=True, eq=False)
class PackedWritten:
    """One change of a labels layer, in little memory: the change apart from the rest."""

    rest: Written
    change: PackedChange

    @property
    def layer(self) -> Labels:
        """Which layer was changed."""
        return self.rest.layer

    @property
    def label(self) -> int:
        """The id that was given, the highest if several; 0 if none."""
        return self.rest.label

    @property
    def n_objects(self) -> int:
        """How many got an id."""
        return self.rest.n_objects

    @property
    def says(self) -> str:
        """A sentence on it."""
        return self.rest.says

    def packed(self) -> PackedWritten:
        """Return this."""
        return self

    def unpacked(self) -> Written:
        """Return the change."""
        return replace(self.rest, change=self.change.unpack())


AnyWritten: TypeAlias = Written | PackedWritten


def sentence(says: str, layer: Labels, change: Change) -> str:
    """Return what is said of a change: what, in which labels, and where."""
    plane = change.edits[0].region[:-2] if change.edits else ()
    where = f", plane {', '.join(map(str, plane))}" if plane else ""
    hidden = "" if layer.visible else ", which is hidden"
    n_more = len(change.edits) - 1
    elsewhere = f" The same on {n_more:,} more plane{'s' * (n_more > 1)}." if n_more > 0 else ""
    return f"{says} in '{layer.name}'{hidden}{where}.{elsewhere}"
