"""How an image is encoded, beyond which model does it: what few users change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.embedding import Embeddings
    from napari_sam.image import Image
    from napari_sam.model.base import Model

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
Normalization: TypeAlias = Literal["auto", "percentiles", "min-max"] | tuple[float, float]
"""Which raw values read as black and white: as the model's training images did ("auto"), or so
chosen for every model; or the two values themselves, for all channels."""


@dataclass(frozen=True)
class EncodingSettings:
    """Features encoded with different settings are never mixed.

    Attributes
    ----------
    halo : int or None
        Samples that a tile sees around its core; None: an eighth of the window.
    precision : {"auto", "float32", "bfloat16"}
        In which a model of the registry computes, see `load_model`; a model given as an object
        stays as it is.
    normalization : {"auto", "percentiles", "min-max"} or (low, high)
        Which raw values read as black and white.

    Raises
    ------
    ValueError
        If one of them is nothing of that kind.
    """

    halo: int | None = None
    precision: Precision = "auto"
    normalization: Normalization = "auto"

    def __post_init__(self) -> None:
        if self.halo is not None and (not isinstance(self.halo, int) or self.halo < 0):
            raise ValueError(f"The halo is {self.halo!r}; expected samples, 0 or more, or None.")
        if self.precision not in get_args(Precision):
            raise ValueError(
                f'The precision is {self.precision!r}; expected "auto", "float32" or "bfloat16".'
            )
        if not (self.normalization in ("auto", "percentiles", "min-max") or self.limits):
            raise ValueError(
                f'The normalization is {self.normalization!r}; expected "auto", "percentiles", '
                '"min-max", or two raw values (low, high), low below high.'
            )

    @property
    def limits(self) -> tuple[float, float] | None:
        """The raw values that read as black and white, if they are given."""
        limits: Any = self.normalization
        if not isinstance(limits, tuple) or len(limits) != 2:
            return None
        low, high = map(float, limits)
        return (low, high) if -math.inf < low < high < math.inf else None

    def embed(self, image: Image, model: Model, store: Path | None) -> Embeddings:
        """Return an image as a model sees it with these settings; nothing is encoded yet."""
        from napari_sam.embedding import Embeddings

        if self.limits is not None:
            image = image.with_limits(*self.limits)
        conversion = self.normalization if isinstance(self.normalization, str) else "auto"
        return Embeddings(
            image,
            model,
            halo=self.halo,
            conversion=None if conversion == "auto" else conversion,
            store=store,
        )
