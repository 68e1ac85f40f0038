"""Making OME-Zarr images, and a store that counts what is read of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore, WrapperStore

KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


class CountingStore(WrapperStore[LocalStore]):
    """A folder that remembers how many bytes were read of which file."""

    _supports_sync_io = False  # later versions of zarr would not ask `get`

    def __init__(self, store: LocalStore, reads: list[tuple[str, int]] | None = None) -> None:
        super().__init__(store)
        self.reads = [] if reads is None else reads

    def _with_store(self, store: LocalStore) -> CountingStore:
        return CountingStore(store, self.reads)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        value = await self._store.get(key, prototype, byte_range)
        self.reads.append((key, 0 if value is None else len(value)))
        return value

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def get_ranges(self, key: str, *args: Any, **kwargs: Any) -> Any:
        async for group in self._store.get_ranges(key, *args, **kwargs):
            self.reads += [(key, len(value)) for _, value in group if value is not None]
            yield group

    @property
    def chunks(self) -> list[str]:
        """What was read but metadata."""
        hidden = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")
        return [key for key, size in self.reads if size and not key.endswith(hidden)]

    @property
    def bytes_read(self) -> int:
        return sum(size for _, size in self.reads)


def write_ome_zarr(
    path: Path | zarr.abc.store.Store,
    levels: list[np.ndarray],
    axes: str,
    *,
    version: str = "0.5",
    chunks: tuple[int, ...] | None = None,
    compressors: Any = "auto",
    channel_names: tuple[str, ...] = (),
    scale: float = 0.5,
) -> zarr.Group:
    """Write levels that are each half as high and wide as the one before."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for number, level in enumerate(levels):
        group.create_array(
            str(number), data=level, chunks=chunks or level.shape, compressors=compressors
        )
        sizes = [scale * 2**number if axis in "yx" else 1.0 for axis in axes]
        transforms = [{"type": "scale", "scale": sizes}]
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    described = [
        {"name": axis, "type": KINDS[axis]} | ({"unit": "micrometer"} if axis in "yx" else {})
        for axis in axes
    ]
    metadata: dict[str, Any] = {"multiscales": [{"axes": described, "datasets": datasets}]}
    if channel_names:
        metadata["omero"] = {"channels": [{"label": name} for name in channel_names]}
    if version == "0.4":
        metadata["multiscales"][0]["version"] = version
        group.attrs.update(metadata)
    else:
        group.attrs["ome"] = {"version": version, **metadata}
    return group


def zip_folder(folder: Path, path: Path, inside: str = "") -> Path:
    """Zip what is in a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path
