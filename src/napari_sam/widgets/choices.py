"""What is segmented in a viewer, with what, how finely, and into what."""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from psygnal import Signal

from napari_sam.labels.write import Overlap
from napari_sam.widgets.chosen import Chosen
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.encoding_settings import Normalization, Precision
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.layers import check_layer, foremost_image
from napari_sam.widgets.looking import StepChoice, parse_diameter, parse_step, zoom_step
from napari_sam.widgets.predictor import Predictor
from napari_sam.widgets.recipe import literal
from napari_sam.widgets.script_names import ScriptNames
from napari_sam.widgets.source import Source
from napari_sam.widgets.target import Target

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.model.base import Model


class Choices(ABC):
    """The choices of a session, each of which can be set; `SegmentSession` acts on them.

    A choice is for the commands that come after it. Those given before, which may still wait for
    the model, are done as was chosen when they were given.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    layers_changed = Signal()
    """Emitted after any choice."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._source = Source()
        self._target = Target()
        self._target.switched.connect(self._on_preserving)
        self._in_force = self._wished = Chosen()
        self._found_sliders = ""
        self._names = ScriptNames(viewer)

    @property
    def viewer(self) -> ViewerModel:
        """The viewer."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer of this session has been closed.")
        return viewer

    @property
    def is_in_use(self) -> bool:
        """Whether the viewer is still there."""
        return self._viewer() is not None

    @property
    def image(self) -> ImageLayer | None:
        """Image layer to segment. Setting it drops the prompts and forgets the history."""
        return self._source.layer

    @image.setter
    def image(self, layer: ImageLayer | None) -> None:
        if layer is not self._source.layer:
            if layer is not None:
                check_layer(self.viewer, layer, "Image")
            self._open(layer)
            self._set_labels(None)

    @property
    def sliders(self) -> str:
        """What the axes in front of rows and columns mean: a letter of "ptcz" for each.

        Of channels, "c", each has an intensity of its own. It follows from the names at the
        sliders, and otherwise from what the image tells; it can be set, until they change.
        """
        return self._source.sliders

    @sliders.setter
    def sliders(self, sliders: str) -> None:
        if sliders != self._source.sliders:
            self._look_along(sliders)

    @property
    def labels(self) -> Labels | None:
        """Labels layer to write into; None: the next commit makes one."""
        return self._target.layer

    @labels.setter
    def labels(self, layer: Labels | None) -> None:
        self._check_labels(layer)
        self._take_labels(layer)

    @property
    def model(self) -> str:
        """Name of the model. Setting it, to a name or a `Model`, answers the prompts anew."""
        return self._source.model_name

    @model.setter
    def model(self, model: str | Model) -> None:
        if model != self._source.model_name:
            self._source.use_model(model)
            self._on_choice(asks_anew=True)

    @property
    def halo(self) -> int | None:
        """Samples that a tile sees around its core; None: an eighth of the model's window.

        Another model begins with None. Setting this, `precision` or `normalization` answers the
        prompts anew; nothing that was encoded otherwise is used, and features are in memory again.
        """
        return self._source.settings.halo

    @halo.setter
    def halo(self, halo: int | None) -> None:
        self._use_settings(halo=halo)

    @property
    def precision(self) -> Precision:
        """In which the model computes: ``"auto"``, ``"float32"`` or ``"bfloat16"``."""
        return self._source.settings.precision

    @precision.setter
    def precision(self, precision: Precision) -> None:
        if precision != self.precision and not isinstance(self._source.model, str):
            raise ValueError(
                f"The model {self.model} was given as an object, and computes as it was loaded. "
                "Choose one by its name."
            )
        self._use_settings(precision=precision)

    @property
    def normalization(self) -> Normalization:
        """Which raw values read as black and white.

        ``"auto"``: as of the model's training images. ``"percentiles"``: the percentiles 1 and
        99.8. ``"min-max"``: the least and the largest. Or two values (low, high), for all channels
        of this image; another one begins with ``"auto"``.
        """
        return self._source.settings.normalization

    @normalization.setter
    def normalization(self, normalization: Normalization) -> None:
        self._use_settings(normalization=normalization)

    @property
    def store(self) -> Path | None:
        """Folder that features are kept in, made if there is none; None: they are kept in memory.

        Setting it opens model and image. Another image or model begins in memory again.
        """
        embeddings = self.predictor and self.predictor.embeddings
        return embeddings.store.path if embeddings and embeddings.store else None

    @store.setter
    def store(self, store: str | os.PathLike[str] | None) -> None:
        self.keep(self._predictor.kept_in(None if store is None else Path(store)))

    @property
    def step(self) -> StepChoice:
        """How finely the model looks, in level-0 pixels per sample.

        A power of two: 1 is full resolution, 2 half of it. ``"zoom"``: as finely as the picture on
        screen. None: as finely as the prompts allow. A large object may make it coarser.
        """
        return self._wished.step

    @step.setter
    def step(self, step: StepChoice) -> None:
        self._choose("step", parse_step(step))

    @property
    def step_now(self) -> float | None:
        """What `step` comes to at this moment: with ``"zoom"``, a step that suits the zoom.

        None if nothing is to be left out: as on a screen that shows every pixel; or if the size of
        objects is known, which tells better than the zoom.
        """
        chosen = self._in_force
        if chosen.step != "zoom":
            return chosen.step
        if chosen.object_diameter is not None or self.image is None:
            return None
        step = zoom_step(self.viewer, self.image)
        return step if step > 1 else None

    @property
    def object_diameter(self) -> float | None:
        """How large objects are, in level-0 pixels; None: not known.

        If it is known, it chooses how finely the model looks, unless `step` says it.
        """
        return self._wished.object_diameter

    @object_diameter.setter
    def object_diameter(self, diameter: float | None) -> None:
        self._choose("object_diameter", parse_diameter(diameter))

    @property
    def overlap(self) -> Overlap:
        """What happens to objects under a new one: ``"keep"``, ``"replace"`` or ``"erase"``."""
        return self._wished.overlap

    @overlap.setter
    def overlap(self, rule: Overlap) -> None:
        if rule not in get_args(Overlap):
            raise ValueError(f"The overlap rule is {rule!r}; expected keep, replace or erase.")
        self._choose("overlap", rule)

    @property
    def turbo(self) -> bool:
        """Whether the first click keeps at once what the hover outline shows."""
        return self._wished.turbo

    @turbo.setter
    def turbo(self, is_on: bool) -> None:
        self._choose("turbo", bool(is_on))

    @property
    def neighbors(self) -> bool:
        """Whether kept objects that a mask runs into become negative points, and it is asked again.

        They stay whole in any case, unless `overlap` says otherwise.
        """
        return self._wished.neighbors

    @neighbors.setter
    def neighbors(self, are_negatives: bool) -> None:
        self._choose("neighbors", bool(are_negatives))

    @property
    def preferred_rank(self) -> int | None:
        """Which candidate new objects begin with: 0 is the smallest; None: the one rated best.

        Choosing a candidate sets it.
        """
        return self._wished.preferred_rank

    @preferred_rank.setter
    def preferred_rank(self, rank: int | None) -> None:
        if rank is not None and rank < 0:
            raise ValueError(f"The rank is {rank}; expected 0 (smallest), 1, 2, or None (best).")
        self._choose("preferred_rank", rank)

    @property
    def next_label(self) -> int:
        """The id that the next commit writes."""
        return self._target.next_label

    @property
    def is_counted(self) -> bool:
        """Whether `next_label` is known without looking the labels through."""
        return self._target.is_counted

    @property
    def coming_label(self) -> int | None:
        """`next_label`, if it is counted already and there is one."""
        return self.next_label if self.is_counted and self.n_ids_left != 0 else None

    @property
    def n_ids_left(self) -> int | None:
        """How many more objects the type of the labels can number; None if not counted yet."""
        return self._target.n_ids_left if self.is_counted else None

    @property
    def notes(self) -> str:
        """What is odd about the image, and what the model has warned of; known once it is open."""
        return self.predictor.notes if self.predictor else ""

    @property
    def predictor(self) -> Predictor | None:
        """What answers prompts on this image with this model; another one if either changes."""
        return self._source.predictor

    def adopt_image(self) -> None:
        """Take the topmost image layer that is not hidden, if no image has been chosen."""
        if self.image is None and (layer := foremost_image(self.viewer)) is not None:
            self.image = layer

    @property
    def _predictor(self) -> Predictor:
        """The predictor of the image; of the topmost one if none has been chosen."""
        self.adopt_image()
        if self._source.predictor is None:
            raise ValueError(NO_IMAGE)
        return self._source.predictor

    def _as_python(self, *names: str) -> dict[str, str]:
        """Return what has been chosen, as a script sets it; all, or some of it."""
        source, chosen = self._source, self._in_force
        values = {
            "image": self._names.image(source.layer),
            "sliders": literal(source.sliders),
            "model": self._names.model(source.model),
            "halo": literal(source.settings.halo),
            "precision": literal(source.settings.precision),
            "normalization": literal(source.settings.normalization),
            "object_diameter": literal(chosen.object_diameter),
            "neighbors": literal(chosen.neighbors),
            "preferred_rank": literal(chosen.preferred_rank),
            "overlap": literal(chosen.rule),
            "labels": self._names.labels(self._target.kept, source.layer),
        }
        if not source.sliders:
            del values["sliders"]
        if not source.is_tuned:
            del values["halo"], values["precision"], values["normalization"]
        return {name: value for name, value in values.items() if not names or name in names}

    def _use_settings(self, **changes: Any) -> None:
        settings = replace(self._source.settings, **changes)
        if settings != self._source.settings:
            self._source.use_settings(settings)
            self._on_choice(asks_anew=True)

    def _check_labels(self, layer: Labels | None) -> None:
        """Refuse a layer that cannot be written into."""
        if layer is not None:
            check_layer(self.viewer, layer, "Labels")
            ShownLabels(layer).check(self._predictor.image)

    def _set_labels(self, layer: Labels | None) -> None:
        """Write into another layer at once, whatever waits."""
        self._target.layer = layer
        preserves = self._target.preserves
        self._wished = replace(self._wished, preserves=preserves)
        self._in_force = replace(self._in_force, preserves=preserves)
        self._on_choice()

    def _on_preserving(self, is_on: bool) -> None:
        """Preserve labels, or not, from the next command on."""
        self._choose("preserves", is_on)

    @abstractmethod
    def _look_along(self, sliders: str) -> None:
        """Look at the image with its axes understood in another way."""

    @abstractmethod
    def _take_labels(self, layer: Labels | None) -> None:
        """Write into another layer, once what was given before is done."""

    @abstractmethod
    def _choose(self, name: str, value: Any) -> None:
        """Change one of `Chosen`, once what was given before is done."""

    @abstractmethod
    def keep(self, predictor: Predictor) -> None:
        """Take a predictor of the same image and model, which keeps features elsewhere."""

    @abstractmethod
    def _open(self, layer: ImageLayer | None) -> None:
        """Begin with another image, or none."""

    @abstractmethod
    def _on_choice(self, *, asks_anew: bool = False) -> None:
        """Act on a choice that may change what the model answers to the same prompts."""
