"""Zarr on a server, through fsspec: read-only, and never waiting without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zarr.abc.store import ByteRequest, Store
from zarr.storage import FsspecStore, WrapperStore

from napari_sam.image.unreadable import UnreadableError

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer, BufferPrototype

SILENCE_S = 20.0
"""How long a server may be silent before reading is given up."""

METADATA_ENDINGS = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def remote_store(url: str, storage_options: Mapping[str, Any] | None = None) -> RemoteStore:
    """Return the store at an address; nothing is asked of the server yet.

    Raises
    ------
    ImportError
        If fsspec, or what it needs for such an address, is not installed.
    ValueError
        If fsspec does not know such addresses.
    """
    if url.split("?")[0].endswith((".zip", ".tif", ".tiff")):
        raise ValueError(
            f"{url} is a single file, and only zarr folders are read from a server: download it."
        )
    protocol = url.partition("://")[0]
    try:
        options = {**_patience(protocol), **(storage_options or {})}
        store = FsspecStore.from_url(url.rstrip("/"), storage_options=options, read_only=True)
    except ImportError as error:
        raise ImportError(
            f"Reading {protocol}:// needs packages that are not installed ({error}): "
            f"pip install fsspec aiohttp s3fs."
        ) from error
    except ValueError as error:
        raise ValueError(f"{url} is no address that can be read: {error}.") from error
    except OSError as error:
        raise UnreadableError(f"{url} could not be read: {_reason(error)}.") from error
    return RemoteStore(store)


def _patience(protocol: str) -> dict[str, Any]:
    """Return the options that let a silent server be noticed, where that has to be asked for."""
    if protocol in ("http", "https"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
        return {"client_kwargs": {"timeout": timeout}}
    if protocol in ("s3", "s3a"):
        silence_s = SILENCE_S / 5  # for s3fs asks five times
        times = {"connect_timeout": silence_s, "read_timeout": silence_s}
        return {"config_kwargs": {**times, "retries": {"max_attempts": 0}}}
    return {}


class RemoteStore(WrapperStore[FsspecStore]):
    """A store whose errors are sentences.

    Some servers answer *forbidden* for files that are not there. For metadata, which zarr looks for
    under several names, that counts as absent; for pixels it is an error.
    """

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return (a part of) the value of a key, or None if there is none."""
        try:
            return await self._store.get(key, prototype, byte_range)
        except Exception as error:
            if _status(error) == 403 and key.endswith(METADATA_ENDINGS):
                return None
            raise UnreadableError(
                f"{self._store.path}/{key} could not be read: {_reason(error)}."
            ) from error

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of the values of several keys, asked for at the same time."""
        parts = (self.get(key, prototype, byte_range) for key, byte_range in key_ranges)
        return list(await asyncio.gather(*parts))

    async def get_ranges(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Yield parts of one value, through `get`; later versions of zarr read shards so."""
        read: Any = getattr(Store, "get_ranges")  # noqa: B009 - zarr 3.1 has none
        async for group in read(self, *args, **kwargs):
            yield group


def _status(error: Exception) -> int | None:
    return 403 if isinstance(error, PermissionError) else getattr(error, "status", None)


def _reason(error: Exception) -> str:
    """Return in plain words why a server gave nothing, and what to do."""
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:  # of botocore too
        return f"the server was silent for {SILENCE_S:g} s. Try again later, or copy the image here"
    if _status(error) in (401, 403):
        return (
            "the server does not allow it. Pass what it asks for as storage_options, as fsspec "
            "takes it; for a public bucket storage_options={'anon': True}"
        )
    if type(error).__name__ == "NoCredentialsError":
        return (
            "there are no credentials here. For a public bucket pass "
            "storage_options={'anon': True}, else set them up as for the program aws"
        )
    if (status := _status(error)) is not None:
        return f"the server answers {status}. Try again later"
    return f"{type(error).__name__}: {error}. Check the address and the network"
