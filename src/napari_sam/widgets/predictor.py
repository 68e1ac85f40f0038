"""An image and a model that answer prompts; both are opened when the first prompt needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakValueDictionary

from napari_sam.model import list_models
from napari_sam.widgets.cores import cores

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings
    from napari_sam.image import Image
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

    Attributes
    ----------
    warnings : list of str
        What was warned of meanwhile; a sentence each.
    """

    def __init__(self, image: Image, model: Lazy[Model], model_name: str) -> None:
        self.image = image
        self.model_name = model_name
        self.warnings: list[str] = []
        self._has_failed = False
        self._model = model
        self._embeddings = Lazy(self._embed)

    @property
    def notes(self) -> str:
        """What the user should know: what is odd about the image, once measured, and warnings."""
        note = self._embeddings.get().image.note if self._embeddings.is_made else ""
        return "\n".join([f"Image: {note}."] * bool(note) + self.warnings)

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
                self._model.get()
            if not self._embeddings.is_made:
                yield "Measuring the intensity of the image …"
                self._embeddings.get()
        except Exception:
            self._has_failed = True
            raise
        self._has_failed = False

    def iter_predict(
        self, prompts: Prompts, plane: tuple[int, ...], *, follow: bool = True
    ) -> Iterator[str | Candidates]:
        """Yield what is being done, a sentence at a time, and at last the candidates.

        Parameters are those of `segment_object`.
        """
        yield from self.iter_answer()
        # torch is slow to import; here that happens in the thread that needs it.
        from napari_sam.segment import segment_object
        from napari_sam.segment.windows import first_window

        embeddings = self._embeddings.get()
        if not embeddings.is_encoded(first_window(embeddings, prompts, plane)):
            yield "Encoding this part of the image …"
        yield segment_object(embeddings, prompts, plane=plane, follow=follow)

    def _embed(self) -> Embeddings:
        from napari_sam.embedding import Embeddings

        embeddings = Embeddings(self.image, self._model.get())
        embeddings.image.note  # noqa: B018  # measured now, not while a window is read
        return embeddings


@dataclass(frozen=True, eq=False)
class Request:
    """A question to the model, complete in itself: it can be answered in any thread."""

    predictor: Predictor
    prompts: Prompts
    plane: tuple[int, ...]
    is_hover: bool = False

    def iter_answer(self) -> Iterator[str | Candidates]:
        """Yield what is being done, a sentence at a time, and at last the candidates."""
        if not (self.is_hover and self.predictor.is_hopeless):
            yield from self._iter_answer()

    def answer(self) -> Candidates:
        """Return the candidates."""
        *_, candidates = self._iter_answer()
        return candidates  # type: ignore[return-value]  # the last thing yielded

    def _iter_answer(self) -> Iterator[str | Candidates]:
        return self.predictor.iter_predict(self.prompts, self.plane, follow=not self.is_hover)

    def asks_as(self, other: Request) -> bool:
        """Whether another request asks the same."""
        return (self.predictor, self.plane, self.prompts) == (
            other.predictor,
            other.plane,
            other.prompts,
        )


_by_name: WeakValueDictionary[str, Lazy[Any]] = WeakValueDictionary()


def lazy_model(model: str | Model) -> Lazy[Any]:
    """Return a model of the registry, by name, or a model itself, as something to open later.

    While somebody still uses a model, or is about to open it, all who name it share it.
    """
    if not isinstance(model, str):
        return Lazy(lambda: model)
    if (shared := _by_name.get(model)) is not None:
        return shared

    def load() -> Model:
        from napari_sam.model import load_model

        return load_model(model)

    lazy = _by_name[model] = Lazy(load)
    return lazy


def _opening(name: str) -> str:
    is_fitted = any(spec.name == name and not spec.built_in for spec in list_models())
    once = " The first time takes longer: it is fitted to this computer." if is_fitted else ""
    return f"Opening the model {name} …{once}"
