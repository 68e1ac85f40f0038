"""An image and a model that answer prompts; both are opened when the first prompt needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakValueDictionary

from napari_sam.model import list_models
from napari_sam.widgets.cores import apply_cores, cores
from napari_sam.widgets.encoding_settings import EncodingSettings, Precision
from napari_sam.widgets.import_torch import import_torch
from napari_sam.widgets.looking import fitting_step

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings
    from napari_sam.image import Image
    from napari_sam.labels.others import Others
    from napari_sam.masks import Candidates
    from napari_sam.model.base import Model
    from napari_sam.prompts import Prompts

T = TypeVar("T")


class Lazy(Generic[T]):
    """A value that the first thread to ask for makes, and that all others share."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[T] = []

    @property
    def is_made(self) -> bool:
        """Whether the value is there."""
        return bool(self._made)

    def get(self) -> T:
        """Return the value; makes it, or waits for the thread that makes it."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class Predictor:
    """Answers prompts on one image with one model; usable from any thread.

    Parameters
    ----------
    image : Image
        Opened, but not measured yet.
    model : Lazy of Model
        Shared by the predictors of a session.
    model_name : str
        For messages.
    settings : EncodingSettings, optional
        How the image is encoded.

    Attributes
    ----------
    warnings : list of str
        What was warned of meanwhile; a sentence each.
    """

    def __init__(
        self,
        image: Image,
        model: Lazy[Model],
        model_name: str,
        settings: EncodingSettings | None = None,
    ) -> None:
        self.image = image
        self.settings = settings or EncodingSettings()
        self.model_name = model_name
        self.warnings: list[str] = []
        self._store: Path | None = None
        self._has_failed = False
        self._model = model
        self._embeddings = Lazy(self._embed)

    @property
    def embeddings(self) -> Embeddings | None:
        """The image as the model sees it; None while they have not both been opened."""
        return self._embeddings.get() if self._embeddings.is_made else None

    @property
    def notes(self) -> str:
        """What the user should know: what is odd about the image, once measured, and warnings."""
        note = self.embeddings.image.note if self.embeddings else ""
        return "\n".join([f"Image: {note}."] * bool(note) + self.warnings)

    def warn(self, text: str) -> None:
        """Take note of a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def kept_in(self, store: Path | None) -> Predictor:
        """Return a predictor of the same image and model that keeps features elsewhere.

        What is in memory goes there too. Opens model and image, if that has not been done.

        Parameters
        ----------
        store : path or None
            Made if there is none; None: features are kept in memory only.

        Raises
        ------
        ValueError, OSError
            If the store is one of something else, or cannot be made or read.
        """
        old = self._embeddings.get()
        other = Predictor(self.image, self._model, self.model_name, self.settings)
        other.warnings, other._store = self.warnings, store
        new = other._embeddings.get()
        in_memory = old.memory.keys()
        for window in in_memory:
            if (features := old.memory.get(window)) is None:
                continue
            if new.store is None:
                new.memory.put(window, features)
            elif window not in new.store:
                new.store.put(window, features)
        return other

    def sees_as(self, other: Predictor | None) -> bool:
        """Whether another one has the same image and model, and maybe keeps features elsewhere."""
        return other is not None and self.image is other.image and self.shares_model(other)

    def shares_model(self, other: Predictor) -> bool:
        """Whether another one uses the same model."""
        return self._model is other._model

    @property
    def is_hopeless(self) -> bool:
        """Whether model or image could not be opened; only a click is worth another try."""
        return self._has_failed

    def iter_answer(self) -> Iterator[str]:
        """Open the model and measure the image, if not yet done; yield a sentence for each."""
        cores.apply()
        try:
            if not self._model.is_made:
                yield _opening(self.model_name)
                import_torch()
                self._model.get()
            if not self._embeddings.is_made:
                yield "Measuring the intensity of the image …"
                self._embeddings.get()
            apply_cores(self._embeddings.get().model)
        except Exception:
            self._has_failed = True
            raise
        self._has_failed = False

    def iter_predict(
        self,
        prompts: Prompts,
        plane: tuple[int, ...],
        *,
        others: Others | None = None,
        rank: int | None = None,
        follow: bool = True,
        step: float | None = None,
        object_diameter: float | None = None,
        left_out: tuple[float, ...] | None = None,
    ) -> Iterator[str | Candidates]:
        """Yield what is being done, a sentence at a time, and at last the candidates.

        Tentative ones are followed by those that a click gets, if that does not take long.
        Parameters are those of `segment_beside`, if there are `others`, and `segment_object`;
        `step` may be any power of two, and `left_out` repeats an answer, as `Ready` tells.
        """
        yield from self.iter_answer()
        # torch is slow to import; here that happens in the thread that needs it.
        from napari_sam.embedding.turns import previewing
        from napari_sam.segment import segment_object
        from napari_sam.segment.ready import Ready
        from napari_sam.segment.segment_beside import segment_beside
        from napari_sam.segment.windows import first_window

        embeddings = self._embeddings.get()
        if step is not None:
            step = fitting_step(embeddings, step)
        ready = None if follow else embeddings.is_encoded
        window = first_window(embeddings, prompts, plane, step, object_diameter, ready=ready)
        if not embeddings.is_encoded(window):
            yield "Encoding this part of the image …"
        elif not follow:
            cores.apply(n_spared=1)  # the window needs one to show what is found

        def answer(follow: bool) -> Candidates:
            how: Any = {"follow": follow, "step": step, "object_diameter": object_diameter}
            how["ready"] = Ready(embeddings, left_out)
            with nullcontext() if is_click else previewing():
                if others is None:
                    return segment_object(embeddings, prompts, plane=plane, **how)
                return segment_beside(embeddings, prompts, others, plane=plane, rank=rank, **how)

        is_click = follow
        yield (first := answer(follow))
        if first.is_tentative and embeddings.model.encodes_quickly:
            yield answer(follow=True)

    def _embed(self) -> Embeddings:
        embeddings = self.settings.embed(self.image, self._model.get(), self._store)
        embeddings.image.note  # noqa: B018  # measured now, not while a window is read
        return embeddings


@dataclass(frozen=True, eq=False)
class Request:
    """A question to the model, complete in itself: it can be answered in any thread."""

    predictor: Predictor
    prompts: Prompts
    plane: tuple[int, ...]
    is_hover: bool = False
    others: Others | None = None
    rank: int | None = None
    step: float | None = None
    object_diameter: float | None = None
    left_out: tuple[float, ...] | None = None

    def iter_answer(self) -> Iterator[str | Candidates]:
        """Yield what is being done, a sentence at a time, and at last the candidates."""
        if not (self.is_hover and self.predictor.is_hopeless):
            yield from self._iter_answer()

    def answer(self) -> Candidates:
        """Return the candidates."""
        *_, candidates = self._iter_answer()
        return candidates  # type: ignore[return-value]  # the last thing yielded

    def _iter_answer(self) -> Iterator[str | Candidates]:
        return self.predictor.iter_predict(
            self.prompts,
            self.plane,
            others=self.others,
            rank=self.rank,
            follow=not self.is_hover,
            step=self.step,
            object_diameter=self.object_diameter,
            left_out=self.left_out,
        )

    def asks_as(self, other: Request) -> bool:
        """Whether another request asks the same."""
        mine, its = (
            (
                request.predictor,
                request.plane,
                request.others,
                request.rank,
                request.step,
                request.object_diameter,
                request.left_out,
            )
            for request in (self, other)
        )
        return mine == its and self.prompts == other.prompts


_by_name: WeakValueDictionary[tuple[str, str], Lazy[Any]] = WeakValueDictionary()


def lazy_model(model: str | Model, precision: Precision = "auto") -> Lazy[Any]:
    """Return a model of the registry, by name, or a model itself, as something to open later.

    While somebody still uses a model, or is about to open it, all who name it share it.
    """
    if not isinstance(model, str):
        return Lazy(lambda: model)
    if (shared := _by_name.get((model, precision))) is not None:
        return shared

    def load() -> Model:
        from napari_sam.model import load_model

        return load_model(model, precision=precision)

    lazy = _by_name[model, precision] = Lazy(load)
    return lazy


def _opening(name: str) -> str:
    is_fitted = any(spec.name == name and not spec.built_in for spec in list_models())
    once = " The first time takes longer: it is fitted to this computer." if is_fitted else ""
    return f"Opening the model {name} …{once}"
