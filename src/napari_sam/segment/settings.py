"""What a run of automatic segmentation depends on, beside image and model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, get_args

from napari_sam.image.window import is_power_of_two
from napari_sam.masks.suppression import Measure
from napari_sam.model.base import Model
from napari_sam.segment.generator_settings import GeneratorSettings
from napari_sam.segment.grid_settings import GridSettings
from napari_sam.segment.seed_settings import SeedSettings

Mode = Literal["grid", "seeds", "watershed"]
"""How objects are found: by a grid of points, or by the centers in the model's instance maps as
prompts, or by watershed on these maps alone."""

SEED_IOU = 0.45
"""Least predicted IoU of what a seed gives: what the model itself expects to be wrong is no object.
With nano, no score of 12 kinds of labeled images is lower for it; of 982 objects in small planes of
noise, 261 are left. From 0.5 on, 101 are, but real ones are missing too."""

Axis = Literal["z", "t"]

S = TypeVar("S")


@dataclass(frozen=True)
class FindSettings:
    """How the objects of one window are found.

    Attributes
    ----------
    mode : "grid", "seeds" or "watershed", optional
        Default: seeds if the model has instance maps, else grid.
    points_per_side : int
        Of the grid in a window.
    pred_iou, stability : float, optional
        Objects with lower scores are dropped. Default: of a grid, which finds parts and wholes of
        every object, what suits the model; of seeds, which give one mask of each object, a
        predicted IoU of `SEED_IOU` and any stability; of a watershed 0.
    stability_offset : float
        The stability compares the areas at this much above and below the threshold of the logits.
    overlap : float
        Of two objects of a window that overlap by more than this part of the smaller one, the one
        with the lower score is dropped: a pixel has one label, so of a part and its whole only one
        can be kept.
    min_area : int
        In level-0 pixels; smaller objects are dropped.
    max_area : int, optional
        Larger ones too. Default: no limit.
    skip_covered : bool
        Points of the grid that lie in an object already found are left out.
    skip_background : bool
        Points of the grid are left out around which the model's instance maps, if it has any, show
        nothing.
    exact : bool
        Of the grid: look at each plane as a whole, and find what `generate_masks` finds, slowly.
        Boxes may overlap by 0.7 (IoU), as officially, instead of masks by `overlap`; there is no
        step, and no point is left out.
    foreground : float
        Of instance maps: where the probability is higher, there are objects.
    seed : float
        Of instance maps: where the depth in an object is higher, there is a seed; lower for more.
    smoothing : float
        Of instance maps: by how many samples the depth is blurred.
    score : float
        Of instance maps: how sure they are of an object, from 0 to 1. Noise reaches 0.65.
    step : float, optional
        Level-0 pixels per sample, a power of two; 2 looks at half the resolution, for objects that
        are large. Default: that of the finest windows.
    """

    mode: Mode | None = None
    points_per_side: int = 32
    pred_iou: float | None = None
    stability: float | None = None
    stability_offset: float = 1.0
    overlap: float = 0.5
    min_area: int = 1
    max_area: int | None = None
    skip_covered: bool = True
    skip_background: bool = True
    exact: bool = False
    foreground: float = 0.5
    seed: float = 0.5
    smoothing: float = 2.0
    score: float = 0.65
    step: float | None = None

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, get_args(Mode))
        _check_whole("points_per_side", self.points_per_side)
        _check_range("points_per_side", self.points_per_side, 1, 1024)
        for name in ("skip_covered", "skip_background", "exact"):
            _check_flag(name, getattr(self, name))
        for name in ("pred_iou", "stability", "overlap", "foreground", "seed", "score"):
            _check_range(name, getattr(self, name), 0, 1)
        for name in ("stability_offset", "smoothing"):
            _check_range(name, getattr(self, name), 0, math.inf)
        for name in ("min_area", "max_area", "step"):
            _check_range(name, getattr(self, name), 0, math.inf)
        if self.max_area is not None and self.max_area < self.min_area:
            raise ValueError(
                f"max_area is {self.max_area} and min_area {self.min_area}, so no object would "
                f"pass: raise the one or lower the other."
            )
        if self.step is not None and not is_power_of_two(self.step):
            raise ValueError(f"step is a power of two such as 0.5, 1 or 2, found {self.step}.")
        if self.exact and self.mode not in (None, "grid"):
            raise ValueError(
                f"exact is of the grid, and mode is {self.mode!r}: leave one of the two away."
            )
        if self.exact and self.step is not None:
            raise ValueError(
                f"step is {self.step}, and exact looks at each plane as a whole: leave one of the "
                f"two away."
            )

    def resolved(self, model: Model, base_step: float) -> FindSettings:
        """Return the same settings with all defaults filled in.

        Raises
        ------
        ValueError
            If the mode needs instance maps, and the model has none.
        """
        has_seeds = model.has_instance_maps and not self.exact
        mode = self.mode or ("seeds" if has_seeds else "grid")
        if mode != "grid" and not model.has_instance_maps:
            raise ValueError(
                f"The mode {mode!r} needs a model with an instance decoder, such as nano; "
                f"{model.name!r} has none: choose the mode 'grid', or another model."
            )
        pred_iou, stability = {
            "grid": (model.accepted_iou, model.accepted_stability),
            "seeds": (SEED_IOU, 0.0),
            "watershed": (0.0, 0.0),
        }[mode]
        defaults: dict[str, Any] = {
            "pred_iou": pred_iou,
            "stability": stability,
            "step": None if self.exact else base_step,
        }
        filled = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, mode=mode, **filled)

    @property
    def suppression(self) -> tuple[Measure, float]:
        """How overlap is measured, and how much of it two objects may have."""
        return (
            ("box", GeneratorSettings.box_nms_thresh) if self.exact else ("smaller", self.overlap)
        )

    def for_grid(self) -> GridSettings:
        """Return what a grid of points looks for."""
        return GridSettings(
            points_per_side=self.points_per_side,
            pred_iou=self.pred_iou,
            stability=self.stability,
            stability_offset=self.stability_offset,
            max_area=math.inf if self.max_area is None else self.max_area,
            margin=0,
            skip_covered=self.skip_covered,
            skip_background=self.skip_background,
            exact=self.exact,
        )

    def for_seeds(self) -> SeedSettings:
        """Return what instance maps must show."""
        return SeedSettings(
            foreground=self.foreground,
            seed=self.seed,
            smoothing=self.smoothing,
            overlap=self.overlap,
            score=self.score,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON and TOML can hold; what is None is left out."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> FindSettings:
        """Return the settings that `to_dict` was called on; what is missing has its default."""
        return _from_dict(cls, entries)


@dataclass(frozen=True)
class LinkSettings:
    """How the objects of planes become objects of a stack, see `link_planes`.

    Attributes
    ----------
    axis : "z" or "t", optional
        Along which objects are linked; each index of another axis is a stack of its own. Default:
        z, if the image has it.
    is_linked : bool
        False: every object of every plane gets a number of its own.
    overlap : float
        Two objects of different planes may be one if they share more than this part of the smaller
        one.
    max_growth : float, optional
        They are not if one is more than so many times as large as the other. Default: no limit,
        since objects end in small tips.
    max_gap : int
        Planes in between in which the object may be missing; before and after, it then has to be
        the same by 0.6 (IoU).
    min_extent : int
        Objects that are found in fewer planes are dropped, where planes are linked.
    """

    axis: Axis | None = None
    is_linked: bool = True
    overlap: float = 0.6
    max_growth: float | None = None
    max_gap: int = 1
    min_extent: int = 1

    def __post_init__(self) -> None:
        _check_choice("axis", self.axis, get_args(Axis))
        _check_flag("is_linked", self.is_linked)
        _check_range("overlap", self.overlap, 0, 1)
        _check_range("max_growth", self.max_growth, 1, math.inf)
        for name in ("max_gap", "min_extent"):
            _check_whole(name, getattr(self, name))
        _check_range("max_gap", self.max_gap, 0, math.inf)
        _check_range("min_extent", self.min_extent, 1, math.inf)

    def resolved(self, plane_axes: str) -> LinkSettings:
        """Return the same settings with the axis filled in, for an image with these plane axes.

        Raises
        ------
        ValueError
            If the image has no such axis.
        """
        if self.axis and self.is_linked and self.axis not in plane_axes:
            others = f"the axes {plane_axes!r} and" if plane_axes else "only"
            raise ValueError(
                f"Objects cannot be linked along {self.axis}: the image has {others} rows and "
                f"columns."
            )
        axis: Axis | None = self.axis or ("z" if "z" in plane_axes else None)
        if not self.is_linked or axis is None:
            return replace(self, axis=axis, is_linked=False, min_extent=1)
        return replace(self, axis=axis)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON and TOML can hold; what is None is left out."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> LinkSettings:
        """Return the settings that `to_dict` was called on; what is missing has its default."""
        return _from_dict(cls, entries)


@dataclass(frozen=True)
class SegmentSettings:
    """All settings of a run.

    Attributes
    ----------
    find : FindSettings
        Of each window.
    join_overlap : float
        Objects of neighboring tiles are the same if their IoU, in what both tiles see, is higher.
    link : LinkSettings
        From plane to plane.
    """

    find: FindSettings = field(default_factory=FindSettings)
    join_overlap: float = 0.5
    link: LinkSettings = field(default_factory=LinkSettings)

    def __post_init__(self) -> None:
        for name, kind in {"find": FindSettings, "link": LinkSettings}.items():
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name} is {value!r}; expected {kind.__name__}.")
        _check_range("join_overlap", self.join_overlap, 0, 1)

    def resolved(self, model: Model, base_step: float, plane_axes: str) -> SegmentSettings:
        """Return the same settings with all defaults filled in."""
        return replace(
            self, find=self.find.resolved(model, base_step), link=self.link.resolved(plane_axes)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON and TOML can hold: tables ``find`` and ``link``, and the rest."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> SegmentSettings:
        """Return the settings that `to_dict` was called on; what is missing has its default.

        Raises
        ------
        ValueError, TypeError
            If there are unknown entries, or values out of range.
        """
        read = dict(entries)
        if "find" in entries:
            read["find"] = FindSettings.from_dict(entries["find"])
        if "link" in entries:
            read["link"] = LinkSettings.from_dict(entries["link"])
        return _from_dict(cls, read)


def _to_dict(settings: Any) -> dict[str, Any]:
    return asdict(settings, dict_factory=lambda items: {k: v for k, v in items if v is not None})


def _from_dict(cls: type[S], entries: Mapping[str, Any]) -> S:
    if not isinstance(entries, Mapping):
        raise TypeError(f"The {cls.__name__} are {entries!r}; expected a table of settings.")
    known = [part.name for part in fields(cls)]  # type: ignore[arg-type]
    if unknown := [name for name in entries if name not in known]:
        raise ValueError(
            f"There is no setting {unknown[0]!r} among the {cls.__name__}; there are "
            f"{', '.join(known)}."
        )
    return cls(**entries)


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}.")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected true or false.")


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"{name} is {value}; expected a whole number.")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; expected a number.")
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{name} is {value}; expected {limits}.")
