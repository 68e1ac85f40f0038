"""An image and a model that answer prompts; both are opened when the first prompt needs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
    """

    def __init__(self, image: Image, model: Lazy[Model], model_name: str) -> None:
        self.image = image
        self.model_name = model_name
        self._model = model
        self._embeddings = Lazy(self._embed)

    def iter_answer(self) -> Iterator[str]:
        """Open the model and measure the image, if not yet done; yield a sentence for each."""
        if not self._model.is_made:
            yield f"Opening the model {self.model_name} …"
            self._model.get()
        if not self._embeddings.is_made:
            yield "Measuring the intensity of the image …"
            self._embeddings.get()

    def iter_predict(
        self, prompts: Prompts, plane: tuple[int, ...], *, follow: bool = True
    ) -> Iterator[str | Candidates]:
        """Yield what is being done, a sentence at a time, and at last the candidates.

        Parameters are those of `segment_object`.
        """
        yield from self.iter_answer()
        from napari_sam.segment import segment_object
        from napari_sam.segment.windows import first_window

        embeddings = self._embeddings.get()
        if not embeddings.is_encoded(first_window(embeddings, prompts, plane)):
            yield "Encoding this part of the image …"
        yield segment_object(embeddings, prompts, plane=plane, follow=follow)

    def _embed(self) -> Embeddings:
        # torch is slow to import; here that happens in the thread that needs it.
        from napari_sam.embedding import Embeddings

        embeddings = Embeddings(self.image, self._model.get())
        embeddings.image.intensity  # noqa: B018  # measured now, not while a window is read
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
        return self.predictor.iter_predict(self.prompts, self.plane, follow=not self.is_hover)

    def answer(self) -> Candidates:
        """Return the candidates."""
        *_, candidates = self.iter_answer()
        return candidates  # type: ignore[return-value]  # the last thing yielded

    def asks_as(self, other: Request) -> bool:
        """Whether another request asks the same."""
        return (self.predictor, self.plane, self.prompts) == (
            other.predictor,
            other.plane,
            other.prompts,
        )


def lazy_model(model: str | Model) -> Lazy[Any]:
    """Return a model of the registry, by name, or a model itself, as something to open later."""
    if not isinstance(model, str):
        return Lazy(lambda: model)

    def load() -> Model:
        import torch

        from napari_sam.model import load_model

        # One core is left to the window, else it draws in fits and starts.
        cores = max(1, (os.cpu_count() or 2) - 1)
        torch.set_num_threads(min(cores, torch.get_num_threads()))
        return load_model(model)

    return Lazy(load)
