"""What was done by hand, as a Python script that does it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_sam.labels.edit import Edit
from napari_sam.widgets.painted import Painted, iter_paint_calls
from napari_sam.widgets.recipe import Call, Choices, literal
from napari_sam.widgets.script_names import ScriptNames

if TYPE_CHECKING:
    from napari_sam.labels.array import LabelsArray
    from napari_sam.widgets.history import Step

Event: TypeAlias = Call | Painted

LABELS = ("image", "labels")
COMMIT = ("image", "model", "overlap", "labels")
FIND = ("image", "sliders", "model", "halo", "precision", "normalization", "labels")
"""Choices that matter to commands about kept objects, to keeping one, and to finding all."""

RESETS = {"image": ("sliders", "normalization"), "model": ("halo",)}
"""Choices that another image, or another model, begins anew with."""

EFFECTS = frozenset(
    {"commit", "commit_all", "propagate", "delete", "review", "widen_labels", "recover", "remove"}
)
"""Commands that end a paragraph of the script."""


class Transcript:
    """What changed the labels of a session, and how the objects in them were made, in order.

    What has been undone is left out, and so are objects that were never kept. Holds text and pixels
    that were painted, so that images, layers and masks of before can be let go.
    """

    def __init__(self) -> None:
        self._serials = count()
        self._past: list[Event] = []
        self._painted: list[Painted] = []

    def call(self, command: str, *args: Any, choices: Choices, **options: Any) -> Call:
        """Return a command, given now. It is not in the transcript, unless a step holds it."""
        return Call(next(self._serials), command, tuple(map(literal, args)), options, choices)

    def add(self, call: Call) -> None:
        """Add a command that is no step, and cannot be undone."""
        self._past.append(call)

    def paint(self, labels: str, edit: Edit) -> None:
        """Add what was painted by hand."""
        self._painted.append(Painted.of(next(self._serials), labels, edit))

    def unpaint(self) -> None:
        """Forget what was painted last: it was a step of the history that napari has moved over."""
        self._painted.pop()

    def put_right(self, serial: int, labels: str, edit: Edit, now: LabelsArray) -> None:
        """Note what is there now, where a step undone or done again had been painted over since.

        Parameters
        ----------
        serial : int
            Of the step.
        labels : str
            What it changed.
        edit : Edit
            How it changed them.
        now : array
            The labels.
        """
        is_touched = np.zeros(edit.changed.shape, bool)
        for i, stroke in enumerate(self._painted):
            if stroke.serial > serial and stroke.labels == labels:
                inside = stroke.touched(edit) & edit.changed
                if inside.any():
                    self._painted[i] = replace(stroke, is_firm=True)
                    is_touched |= inside
        if is_touched.any():
            values = np.array(now[edit.region])
            found = Edit(edit.region, is_touched, values, values)
            self._painted.append(Painted.of(next(self._serials), labels, found, is_firm=True))

    def close(self, steps: Iterable[Step]) -> None:
        """Take steps, and what has been painted, as what cannot be undone any more."""
        self._past += [*_calls(steps), *self._painted]
        self._painted = []

    def close_forgotten(self, before: Iterable[Step], after: Iterable[Step]) -> None:
        """Take those steps of before as what cannot be undone any more that are not there now."""
        left = {call.serial for call in _calls(after)}
        self._past += [call for call in _calls(before) if call.serial not in left]

    def remove(self, layer: str | None) -> None:
        """Note that a layer has been removed from the viewer, if it has a name."""
        if layer is not None:
            removal = Call(next(self._serials), "remove", (layer,), of="viewer.layers")
            self._past.append(removal)

    def state(self, steps: Iterable[Step]) -> tuple[int, ...]:
        """Return what is the same as long as, and only if, nobody has changed any labels."""
        return tuple(event.serial for event in (*_calls(steps), *self._painted, *self._past))

    def write(
        self, names: ScriptNames, steps: Iterable[Step], draft: Iterable[Call], end: Choices
    ) -> str:
        """Return the script.

        Parameters
        ----------
        names : ScriptNames
            How it names layers and models.
        steps : iterable of Step
            Those that can be undone.
        draft : iterable of Call
            How the object being made came about.
        end : mapping
            What is chosen at the end.
        """
        events = [*self._past, *_calls(steps), *self._painted, *draft]
        events.sort(key=lambda event: event.serial)
        body = _Body(names)
        for key, group in groupby(events, _kind):
            if key is None:
                for call in group:
                    body.add_call(call)  # type: ignore[arg-type]
            else:
                body.add_strokes(list(group))  # type: ignore[arg-type]
        body.add_end(end)
        return names.head(body.mentioned, body.lines) + "\n".join([*body.lines, ""])


class _Body:
    """The lines of a script, and what is chosen when it comes there."""

    def __init__(self, names: ScriptNames) -> None:
        self.lines: list[str] = []
        self.mentioned: set[str] = set()
        self._names = names
        self._chosen: dict[str, str] = {}

    def add_call(self, call: Call) -> None:
        if call.command == "remove" and call.args[0] not in self.mentioned:
            return
        if call.command == "choose":  # it sets this, too
            self._chosen["preferred_rank"] = call.choices["preferred_rank"]
        self._choose(call.choices)
        is_told_only = call.command == "save_labels" and not self._names.is_opened(call.args[0])
        self.lines.append(f"# {call.text}  # where they lie" if is_told_only else call.text)
        if call.command == "remove" and self._chosen.get("labels") == call.args[0]:
            self._chosen["labels"] = "None"
        if call.command in EFFECTS:
            self.lines.append("")

    def add_strokes(self, strokes: list[Painted]) -> None:
        n_lines = len(self.lines)
        where = [(stroke.labels, stroke.plane) for stroke in strokes]
        for labels, plane in dict.fromkeys(where):
            self._mention(labels)
            layer = None if self._chosen.get("labels") == labels else labels
            here = [
                stroke for stroke, at in zip(strokes, where, strict=True) if at == (labels, plane)
            ]
            self.lines += iter_paint_calls(here, layer)
        self.lines += [""] * (len(self.lines) > n_lines)

    def add_end(self, end: Choices) -> None:
        self._choose({name: end[name] for name in ("image", "labels") if name in end})

    def _choose(self, choices: Choices) -> None:
        for name, value in choices.items():
            if self._chosen.get(name) == value:
                continue
            if name in ("image", "labels", "model"):
                self._mention(value)
            if self._chosen.get(name) != value:
                self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        self.lines.append(f"session.{name} = {value}")
        self._chosen[name] = value
        for reset in RESETS.get(name, ()):
            self._chosen.pop(reset, None)
        if name == "image":
            self._chosen["labels"] = "None"

    def _mention(self, name: str) -> None:
        """Have a layer made, when it is first spoken of, if it is made on the way."""
        made = self._names.made.get(name)
        if made is not None and name not in self.mentioned:
            if self._chosen.get("image") != made.image:
                self._mention(made.image)
                self._set("image", made.image)
            self.lines += made.lines
            self._chosen["labels"] = name
        self.mentioned.add(name)


def _kind(event: Event) -> str | None:
    return "painted" if isinstance(event, Painted) else None


def _calls(steps: Iterable[Step]) -> Iterator[Call]:
    for step in steps:
        yield from step.calls
