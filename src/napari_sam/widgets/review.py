"""Going through the objects of a viewer, the most suspicious first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.labels.planes_of import planes_of
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.layers import current_plane
from napari_sam.widgets.listing import Listing

if TYPE_CHECKING:
    from napari_sam.masks import Mask
    from napari_sam.widgets.segment_session import SegmentSession

NO_OBJECTS = "There are no objects yet. Keep one with the dock Segment."

Plane = tuple[int, ...]
Box = tuple[int, int, int, int]


class Review(Listing):
    """Where one is in the list of objects, and what one thinks of them.

    Knows no Qt: the dock shows it, keys and the console drive it.

    Parameters
    ----------
    session : SegmentSession
        Whose objects these are.

    Attributes
    ----------
    current : int or None
        The object that one has gone to.
    """

    moved = Signal()
    """Emitted when another object is the current one."""

    def __init__(self, session: SegmentSession) -> None:
        self.current: int | None = None
        self._line = 0  # of the current object in the order, when it was gone to
        self._left: list[int] = []  # objects accepted or deleted, the last one last
        super().__init__(session)

    def go_to(self, label: int) -> None:
        """Show an object where it is most suspicious, in the middle of the window."""
        plane = self._suspicious_plane(label)
        self._set_current(label)
        self.session.go_to(label, near=self._places(label)[plane], plane=plane)

    def next(self, by: int = 1) -> None:
        """Go to the next object in the order that nobody has accepted; −1: to the one before.

        Raises
        ------
        ValueError
            If there is none.
        """
        label = self._next_label(by)
        if label is None:
            raise ValueError(self.nothing_left)
        self.go_to(label)

    @property
    def current_mask(self) -> tuple[Mask, tuple[int, ...]] | None:
        """The current object where one has gone to it, and the plane; None if there is none."""
        if self.current is None:
            return None
        try:
            plane = self._suspicious_plane(self.current)
            box = self._places(self.current)[plane]
            return self.session.kept_mask(self.current, near=box, plane=plane), plane
        except (ValueError, KeyError):  # it is gone by now
            return None

    @property
    def shown(self) -> tuple[int, Plane, Mask] | None:
        """The current object, the plane and its mask there, if that plane is on screen."""
        found = self.current_mask
        if found is None or self.current is None:
            return None
        mask, plane = found
        return (self.current, plane, mask) if plane == self._shown_plane() else None

    def accept(self) -> None:
        """Note that the current object is right, on all its planes, and go to the next.

        Raises
        ------
        ValueError
            If there is no current object.
        """
        label = self._current_label()
        following = self._next_label(1)  # as the order stands before this changes it
        self.set_reviewed(label)
        self._left.append(label)
        if following is not None and following != label:
            self.go_to(following)

    def toggle(self) -> None:
        """Note that the current object is right, or not yet, if that was noted.

        Raises
        ------
        ValueError
            If there is no current object.
        """
        label = self._current_label()
        self.set_reviewed(label, not self._parts(label)["is_reviewed"].all())

    def set_reviewed(self, label: int, is_reviewed: bool = True) -> None:
        """Note that an object is right, or not yet, on all its planes."""
        others = (part for part in self._parts(label) if part["is_reviewed"] != is_reviewed)
        if places := dict(map(_place_of, others)):
            self.session.review(label, near=places, is_reviewed=is_reviewed)

    def delete(self, *, everywhere: bool = True) -> None:
        """Make the current object background; if none of it is left, go to the next in the order.

        On all its planes, or else on the one shown only.

        Raises
        ------
        ValueError
            If there is no current object, or it is not on the plane that is meant.
        """
        label = self._current_label()
        neighbor, places = self._neighbor(label), self.places(label)
        if not everywhere:
            shown = self._shown_plane()
            if shown not in places:
                raise ValueError(f"Object {label} is not on the plane shown.")
            places = {shown: places[shown]}
        self.session.delete(label, near=places)
        self._left.append(label)
        if len(self._parts(label)):
            return
        if neighbor is None:
            self._set_current(None)
        else:
            self.go_to(neighbor)

    def places(self, label: int, near: Mapping[Plane, Box] | None = None) -> dict[Plane, Box]:
        """Return the planes that an object is on, and its box on each.

        Parameters
        ----------
        label : int
            Its id.
        near : mapping, optional
            Where it is known to be, if it may not be in the list: labels that nobody has counted
            yet are followed from plane to plane.
        """
        known = self._places(label) | dict(near or {})
        layer = self.session.labels
        return {} if layer is None else planes_of(ShownLabels(layer).array, label, known)

    def undo(self) -> None:
        """Take back the last step of the session.

        If that was to accept or delete an object here, go back to it: one has gone on to another.
        """
        label = self._left[-1] if self._left else None
        before = self._state(label)
        self.session.undo(wait=False)
        if label is not None and self._state(label) != before:
            self._left.pop()
            if label in self._labels_in_order():
                self.go_to(label)

    def step(self, by: int) -> None:
        """Go to the object so many lines below in the order; to the first or last, if it ends.

        Raises
        ------
        ValueError
            If there is none.
        """
        labels = self._labels_in_order()
        if not labels:
            raise ValueError(self.nothing_left)
        at = labels.index(self.current) + by if self.current in labels else 0
        self.go_to(labels[max(0, min(at, len(labels) - 1))])

    def reopen(self) -> None:
        """Open the current object again, with its prompts, on the plane shown or where it is.

        Raises
        ------
        ValueError
            If there is no current object.
        """
        label = self._current_label()
        places, shown = self._places(label), self._shown_plane()
        if shown not in places:
            self.go_to(label)
            shown = self._suspicious_plane(label)
        self.session.reopen(label, near=places[shown], plane=shown, wait=False)

    @property
    def nothing_left(self) -> str:
        """Why there is no next object to review."""
        if not self.n_objects:
            return NO_OBJECTS
        return f"All {self.n_objects:,} objects are reviewed."

    # Inside

    def _labels_in_order(self) -> list[int]:
        return [] if self.objects is None else self.objects.rows["label"][self.order].tolist()

    def _next_label(self, by: int) -> int | None:
        """Return the next object to review, after the last the first again."""
        if self.objects is None:
            return None
        labels = self._labels_in_order()
        try:
            start = labels.index(self.current)  # type: ignore[arg-type]
        except ValueError:  # it is gone, or there was none yet
            start = self._line - (by > 0)
        is_reviewed = self.objects.rows["is_reviewed"]
        for step in range(1, len(labels) + 1):
            at = (start + by * step) % len(labels)
            if not is_reviewed[self.order[at]]:
                return labels[at]
        return None

    def _neighbor(self, label: int) -> int | None:
        """Return the object after another in the order, or the one before the last."""
        labels = self._labels_in_order()
        if label not in labels or len(labels) == 1:
            return None
        at = labels.index(label)
        return labels[at + 1 if at + 1 < len(labels) else at - 1]

    def _current_label(self) -> int:
        if self.current is None or not len(self._parts(self.current)):
            raise ValueError("Choose an object first: in the list, or with the key for the next.")
        return self.current

    def _parts(self, label: int) -> Any:
        return () if self.objects is None else self.objects.parts(label)

    def _state(self, label: int | None) -> list[bool]:
        """Return what a review changes of an object: on which planes it is, and is accepted."""
        parts = () if label is None else self._parts(label)
        return [bool(part["is_reviewed"]) for part in parts]

    def _places(self, label: int) -> dict[Plane, Box]:
        """Return the planes that an object is on, and its box on each."""
        return dict(map(_place_of, self._parts(label)))

    def _suspicious_plane(self, label: int) -> Plane:
        index = None if self.objects is None else self.objects.index(label)
        if self.objects is None or index is None:
            raise ValueError(f"There is no object {label} in the list.")
        return tuple(self.objects.rows["plane"][index].tolist())

    def _shown_plane(self) -> Plane | None:
        """Return the plane on screen; None, if there is no such, as in 3-D."""
        image = self.session.image
        try:
            return None if image is None else current_plane(self.session.viewer, image)
        except ValueError:
            return None

    def _set_current(self, label: int | None) -> None:
        self.current, labels = label, self._labels_in_order()
        self._line = labels.index(label) if label in labels else 0
        self.moved.emit()

    def _on_all(self, event: Any = None) -> None:
        super()._on_all(event)
        self._left.clear()
        if self.objects is None:
            self._set_current(None)


def _place_of(part: Any) -> tuple[Plane, Box]:
    """Return the plane and the box of a part."""
    y0, x0, y1, x1 = part["box"].tolist()
    return tuple(part["plane"].tolist()), (y0, x0, y1, x1)
