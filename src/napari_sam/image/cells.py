"""A field of cells of any size as an OME-Zarr image that is computed as it is read."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import MemoryStore

from napari_sam.image.cell_pattern import MAX_STEP, CellPattern

CHUNK = 128
"""Side of a chunk; small, because chunks are computed as a whole."""

COARSEST = 512
"""Longest side of the last level."""

MAX_SIDE = 1_000_000
"""Longest side in pixels: larger fields would have more cells than int32 has ids."""

_LABELS = "labels/cells"


def cell_field(shape: tuple[int, int] = (20_000, 20_000), seed: int = 0) -> list[zarr.Array[Any]]:
    """Return the levels, from fine to coarse, of an endless supply of fluorescent cells.

    Nothing is stored: each chunk is computed when it is read, and is the same every time. The cells
    are 25 to 60 pixels long; some touch.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the finest level.
    seed : int
        Another seed gives other cells.

    Returns
    -------
    list of zarr arrays
        uint8, each half as large as the one before it.
    """
    return _levels(zarr.open_group(CellStore(shape, seed), mode="r"))


def cell_labels(shape: tuple[int, int] = (20_000, 20_000), seed: int = 0) -> list[zarr.Array[Any]]:
    """Return the true labels of :func:`cell_field`: int32, 0 for background, one id per cell.

    There are fewer levels than of the image: none where a cell would be smaller than a pixel.
    """
    return _levels(zarr.open_group(CellStore(shape, seed), mode="r", path=_LABELS))


class CellStore(Store):
    """A read-only zarr store with an OME-Zarr 0.5 image of cells, and their labels inside it.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the finest level.
    seed : int
        Another seed gives other cells.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, shape: tuple[int, int], seed: int = 0) -> None:
        super().__init__(read_only=True)
        height, width = (operator.index(length) for length in shape)
        if min(height, width) < 1 or max(height, width) > MAX_SIDE:
            raise ValueError(
                f"A field of cells has between 1 and {MAX_SIDE} pixels per side, found {shape}."
            )
        if seed < 0:
            raise ValueError(f"A seed is 0 or more, found {seed}.")
        self.shape = (height, width)
        self.pattern = CellPattern(seed)
        self._metadata = _describe(self.shape)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CellStore)
            and self.shape == other.shape
            and self.pattern == other.pattern
        )

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return metadata, or compute a chunk in another thread."""
        if byte_range is not None:
            raise NotImplementedError("A computed chunk is read as a whole.")
        if key in self._metadata:
            return prototype.buffer.from_bytes(self._metadata[key])
        if not await self.exists(key):
            return None
        path, _, chunk = key.partition("/c/")
        row, column = (int(number) for number in chunk.split("/"))
        values = await asyncio.to_thread(self._compute, path, row, column)
        return prototype.buffer.from_bytes(values.tobytes())

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return several values."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether the key is metadata, or a chunk of one of the arrays."""
        path, _, chunk = key.partition("/c/")
        return key in self._metadata or bool(chunk and f"{path}/zarr.json" in self._metadata)

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """List the metadata; chunks are too many, and none of them is stored."""
        for key in self._metadata:
            if key.startswith(prefix):
                yield key

    def list(self) -> AsyncIterator[str]:
        """List the metadata."""
        return self.list_prefix("")

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List the names right below a prefix."""
        folder = f"{prefix.rstrip('/')}/".lstrip("/")
        below = (key[len(folder) :] for key in self._metadata if key.startswith(folder))
        for name in dict.fromkeys(rest.split("/")[0] for rest in below):
            yield name

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: nothing can be stored."""
        raise ValueError("A field of cells is computed and cannot be written to.")

    async def delete(self, key: str) -> None:
        """Refuse: nothing is stored."""
        raise ValueError("A field of cells is computed and cannot be deleted from.")

    def _compute(self, path: str, row: int, column: int) -> np.ndarray[Any, Any]:
        folder, _, level = path.rpartition("/")
        step = 2 ** int(level)
        rows, columns = (np.arange(CHUNK) + CHUNK * number for number in (row, column))
        if not folder:
            return np.clip(self.pattern.intensity(rows, columns, step), 0, 255).astype(np.uint8)
        return self.pattern.labels(rows, columns, step, self.shape[1])


def _levels(group: zarr.Group) -> list[zarr.Array[Any]]:
    return [array for _, array in sorted(group.arrays(), key=lambda item: int(item[0]))]


def _describe(shape: tuple[int, int]) -> dict[str, bytes]:
    """Let zarr write the metadata of the image and its labels, and keep that alone."""
    written: dict[str, Buffer] = {}
    store = MemoryStore(written)
    steps = [1]
    while max(shape) > COARSEST * steps[-1]:
        steps.append(2 * steps[-1])
    image = zarr.create_group(store, attributes={"ome": _multiscale(steps)})
    _add_levels(image, shape, steps, "uint8")
    label_steps = [step for step in steps if step <= MAX_STEP]
    labels = {"image-label": {"source": {"image": "../../"}}, **_multiscale(label_steps)}
    image.create_group("labels", attributes={"ome": {"version": "0.5", "labels": ["cells"]}})
    _add_levels(
        image.create_group(_LABELS, attributes={"ome": labels}), shape, label_steps, "int32"
    )
    return {key: value.to_bytes() for key, value in written.items()}


def _multiscale(steps: list[int]) -> dict[str, Any]:
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [float(step)] * 2},
                {"type": "translation", "translation": [step / 2 - 0.5] * 2},
            ],
        }
        for level, step in enumerate(steps)
    ]
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    return {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def _add_levels(group: zarr.Group, shape: tuple[int, int], steps: list[int], dtype: str) -> None:
    for level, step in enumerate(steps):
        group.create_array(
            str(level),
            shape=tuple(-(-length // step) for length in shape),
            chunks=(CHUNK, CHUNK),
            dtype=dtype,
            compressors=None,
            filters=None,
            dimension_names=["y", "x"],
        )
