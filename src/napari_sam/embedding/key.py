"""What stored features depend on: image, normalization, model and grid."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch

from napari_sam.image.image import Image
from napari_sam.image.intensity import Intensity
from napari_sam.model.base import Model
from napari_sam.model.computing import precision_of

N_BLOCKS = 16
"""Blocks whose pixels tell one image from another, a power of two."""

BLOCK_SIZE = 64
"""Side of such a block, which starts at a multiple of it: so it rarely lies in two chunks."""

_NAMES = {
    "axes": "the axes of the image",
    "plane_shape": "the number of planes of the image",
    "level_shapes": "the shapes of the image's levels",
    "level_factors": "how much the image's levels are reduced",
    "level_offsets": "where the image's levels start",
    "pixel_type": "the type of the image's pixels",
    "n_channels": "the number of channels that are read",
    "content_hash": "the pixels of the image, in the chosen channels",
    "intensity": "the normalization",
    "model_name": "the model",
    "image_size": "the size of the model's windows",
    "weights_hash": "the weights of the model",
    "halo": "the halo of the tiles",
    "precision": "the precision of the image encoder",
}


@dataclass(frozen=True)
class StoreKey:
    """Equal keys mean equal features.

    Attributes
    ----------
    axes : str
        One letter of ``"ptczyx"`` for each axis of the image.
    plane_shape : tuple of int
        Lengths of the axes other than c, y and x.
    level_shapes : tuple of (int, int)
        Height and width of each level, the finest first.
    level_factors, level_offsets : tuple of (float, float)
        Level-0 pixels per pixel of each level, and where it starts, in y and x.
    pixel_type : str
        Name of the numpy type of the raw values.
    n_channels : int
        Channels that are read, 1 or 3.
    content_hash : str
        SHA-256 of some of the raw pixels, see `hash_content`.
    intensity : Intensity
        The normalization.
    model_name : str
        Name in the registry.
    image_size : int
        Side of a window in samples.
    weights_hash : str
        SHA-256 of the model's weights.
    halo : int
        Samples that a tile sees around its core.
    precision : str, optional
        In which the image encoder computes. None: not known, as of stores that did not note it yet;
        these go with any.
    """

    axes: str
    plane_shape: tuple[int, ...]
    level_shapes: tuple[tuple[int, int], ...]
    level_factors: tuple[tuple[float, float], ...]
    level_offsets: tuple[tuple[float, float], ...]
    pixel_type: str
    n_channels: int
    content_hash: str
    intensity: Intensity
    model_name: str
    image_size: int
    weights_hash: str
    halo: int
    precision: str | None = None

    @classmethod
    def of(
        cls, image: Image, model: Model, halo: int, intensity: Intensity | None = None
    ) -> StoreKey:
        """Describe what the features of an image depend on.

        Reads a few blocks of pixels, as many of a large image as of a small one.

        Parameters
        ----------
        image : Image
            What is read.
        model : Model
            What encodes it.
        halo : int
            Samples that a tile sees around its core.
        intensity : Intensity, optional
            Default: that of the image, which is measured now unless it was given.
        """
        return cls(
            axes=image.axes,
            plane_shape=image.plane_shape,
            level_shapes=tuple(level.shape_yx for level in image.levels),
            level_factors=tuple(level.downsample for level in image.levels),
            level_offsets=tuple(level.offset for level in image.levels),
            pixel_type=np.dtype(image.dtype).name,
            n_channels=image.n_channels,
            content_hash=hash_content(image),
            intensity=image.intensity if intensity is None else intensity,
            model_name=model.name,
            image_size=model.image_size,
            weights_hash=model.weights_hash or hash_weights(model),
            halo=halo,
            precision=precision_of(model),
        )

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width of the image in level-0 pixels."""
        return self.level_shapes[0]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> StoreKey:
        """Return the key that `to_dict` was called on, read from JSON.

        Raises
        ------
        ValueError, TypeError
            If it is not that of a key.
        """
        entries = {name: _to_tuple(value) for name, value in entries.items()}
        limits = {name: _to_tuple(value) for name, value in entries.pop("intensity").items()}
        return cls(intensity=Intensity(**limits), **entries)

    def differences(self, expected: StoreKey) -> list[str]:
        """Say of each part that differs what was found here, and what was expected."""
        pairs = [(p.name, getattr(self, p.name), getattr(expected, p.name)) for p in fields(self)]
        return [
            f"{_NAMES[name]} (found {_show(found)}, expected {_show(wanted)})"
            for name, found, wanted in pairs
            if found != wanted and None not in (found, wanted)
        ]


def hash_content(image: Image) -> str:
    """Return a SHA-256 of blocks of raw pixels, spread over planes, rows and columns of level 0.

    Which blocks depends on the image's shape only, so that the same pixels in numpy, dask or zarr,
    in any chunks and byte order, have the same hash. At most 16 × 64² pixels are read; a change
    elsewhere goes unnoticed.
    """
    lengths = np.array(image.plane_shape + image.shape_yx)
    sides = np.array([1] * len(image.plane_shape) + [BLOCK_SIZE] * 2)
    # Along each axis in steps of a power of 5: each visits all of a power of two, in its own order.
    strides = 5 ** np.arange(len(lengths))
    places = (np.arange(N_BLOCKS)[:, None] * strides % N_BLOCKS + 0.5) / N_BLOCKS
    starts = (places * lengths).astype(int) // sides * sides
    starts = np.unique(starts, axis=0)
    stops = np.minimum(starts + sides, lengths)
    blocks = [
        tuple(map(slice, *corners)) for corners in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    digest = hashlib.sha256()
    for raw in image.read_raw(blocks):
        digest.update(np.ascontiguousarray(raw, raw.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def hash_weights(model: Model) -> str:
    """Return a SHA-256 of the weights in memory, for a model that did not come from a file."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _to_tuple(value: Any) -> Any:
    return tuple(map(_to_tuple, value)) if isinstance(value, list) else value


def _show(value: Any) -> str:
    if isinstance(value, Intensity):
        return ", ".join(f"{name} {limits}" for name, limits in asdict(value).items())
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
