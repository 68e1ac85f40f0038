"""What the Models dock says of each model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam.model import list_models
from napari_sam.widgets.installed import installed
from napari_sam.widgets.pace import share_text, size_text

if TYPE_CHECKING:
    from napari_sam.model import ModelSpec

GROUPS = (
    "Built in",
    "General purpose · SAM",
    "Microscopy · micro-sam",
    "Fine outlines · HQ-SAM",
    "Your own",
)


@dataclass(frozen=True)
class Row:
    """One model, in words.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    group : str
        One of `GROUPS`.
    state : str
        Whether its weights are here, and how large they are.
    n_here : int
        How many of their bytes are here.
    is_busy : bool
        Whether something is being done to them, in this or another window.
    is_used : bool
        Whether it is the model of the viewer.
    """

    spec: ModelSpec
    group: str
    state: str
    n_here: int
    is_busy: bool
    is_used: bool

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.spec.name

    @property
    def purpose(self) -> str:
        """What the model is good at, without the family that the group names already."""
        text = self.spec.description
        return text if self.spec.is_custom else _capital(text.partition(": ")[2] or text)

    @property
    def share(self) -> float:
        """How much of the weights is here: 1 is all."""
        if self.spec.is_complete:
            return 1.0
        return min(self.n_here / self.spec.size_bytes, 1.0) if self.spec.size_bytes else 0.0

    @property
    def can_fetch(self) -> bool:
        """Whether there is something to fetch, and an address."""
        return not self.spec.is_complete and any(file.url for file in self.spec.files)

    @property
    def can_remove(self) -> bool:
        """Whether there is something to delete."""
        return self.n_here > 0 and not self.spec.built_in

    @property
    def facts(self) -> str:
        """State, size and licence, in one line."""
        licence = self.spec.licence
        return f"{self.state} · {licence if licence != 'not stated' else 'licence not stated'}"


def whole_size_text(spec: ModelSpec) -> str:
    """Return the size of all weights of a model, and whether that is known exactly."""
    is_exact = spec.is_complete or all(file.is_size_exact for file in spec.files)
    size = size_text(spec.present_bytes if spec.is_complete else spec.size_bytes)
    return size if is_exact else f"≈ {size}"


def list_rows(used: str) -> list[Row]:
    """Return all models by group; `used` names that of the viewer."""
    rows = [_row(spec, used) for spec in list_models()]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def _row(spec: ModelSpec, used: str) -> Row:
    job = installed.jobs.get(spec.name)
    n_here = job.done if job and job.total else spec.present_bytes
    state = job.state if job else state_text(spec, n_here)
    return Row(spec, _group(spec), state, n_here, job is not None, spec.name == used)


def state_text(spec: ModelSpec, n_here: int = 0) -> str:
    """Return whether the weights are here, and how large they are; `n_here` bytes of them are."""
    size = whole_size_text(spec)
    if spec.is_complete:
        return f"{spec.state} · {size}"
    if spec.installed:
        return "installed · decoder to fetch"
    if n_here:
        return f"{share_text(n_here, spec.size_bytes)} here"
    return f"{size} to fetch"


def _group(spec: ModelSpec) -> str:
    if spec.built_in:
        return GROUPS[0]
    if spec.is_custom:
        return GROUPS[4]
    if spec.conversion == "min-max":
        return GROUPS[2]
    return GROUPS[3] if spec.architecture.startswith("hq_") else GROUPS[1]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
