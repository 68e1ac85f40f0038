"""One file from the web: each attempt goes on where the last one ended."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam.model.record import write_atomically

if TYPE_CHECKING:
    import requests

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""How long to wait after the first, second, … attempt in a row that brought nothing new."""

TIMEOUT_S = 10.0
"""How long a server may be silent; also the longest time until a cancellation is noticed."""

CHUNK_BYTES = 1 << 16

Progress = Callable[[int, int | None], None]
"""Told how many bytes are there, and how many there will be if that is known."""


class Cancelled(Exception):
    """The user cancelled; what was fetched so far is kept."""


class Unfinished(Exception):
    """An attempt ended early, and another one may succeed; the message says why."""


@dataclass(frozen=True)
class Origin:
    """What the beginning of a file is the beginning of; written beside it.

    Parameters
    ----------
    url : str
        Where it comes from.
    version : str or None
        The server's name for this version of the file: its entity tag, or when it was changed.
    total : int or None
        Size of the whole file in bytes, if the server said so.
    """

    url: str
    version: str | None
    total: int | None

    @staticmethod
    def path(part: Path) -> Path:
        """Return where the origin of an unfinished file is written."""
        return part.with_name(f"{part.name}.json")

    @classmethod
    def read(cls, part: Path) -> Origin | None:
        """Return the origin of an unfinished file, or None if it has no readable one."""
        try:
            return cls(**json.loads(cls.path(part).read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError):
            return None

    def write(self, part: Path) -> None:
        """Write the origin of an unfinished file beside it."""
        write_atomically(self.path(part), json.dumps(asdict(self)) + "\n")


@dataclass
class Download:
    """The download of one file.

    Parameters
    ----------
    url : str
        ``https://…`` or ``http://…``.
    part : Path
        The file to write. What a failed or cancelled download leaves there is where the next one
        goes on, unless it is of no use.
    size_bytes, is_size_exact : int, bool
        The size of the published file, or about that.
    progress : callable, optional
        See `Progress`.
    cancel : threading.Event
        Set it to stop.
    """

    url: str
    part: Path
    size_bytes: int
    is_size_exact: bool = True
    progress: Progress | None = None
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def limit(self) -> int:
        """No file whose size is only about known is larger than this, in bytes."""
        return 2 * self.size_bytes

    def run(self) -> None:
        """Fetch the file: go on as long as attempts bring something new, and a little longer.

        Raises
        ------
        Cancelled
            If `cancel` was set.
        OSError
            If the file can't be had or not be written; says why, and how to go on.
        """
        import requests

        if not self.url.startswith(("https://", "http://")):
            raise OSError(f"{self.url} is not an address of the web; expected https://….")
        furthest = size_of(self.part)
        failures = 0
        while not self.cancel.is_set():
            try:
                self.attempt()
                return
            except (requests.RequestException, Unfinished) as error:
                reached = size_of(self.part)
                failures = 0 if reached > furthest else failures + 1
                furthest = max(furthest, reached)
                if failures > len(WAITS_S) or not may_pass(error):
                    kept = f" to go on after the {reached:,} bytes that are here" if reached else ""
                    raise OSError(
                        f"{self.url} could not be fetched: {reason(error)}. Fetch again later"
                        f"{kept}. Or download that file elsewhere, and install it here by "
                        "Import in the dock Models, or 'napari-sam models import PATH'."
                    ) from error
            self.cancel.wait(WAITS_S[max(failures - 1, 0)])
        raise Cancelled(f"Fetching {self.url} was cancelled; what is there is kept.")

    def attempt(self) -> None:
        """Ask once for what is missing; returns when the file is complete."""
        import requests

        origin = Origin.read(self.part)
        if origin is None or origin.url != self.url:
            discard(self.part)
            origin = Origin(self.url, None, None)
        offset = size_of(self.part)
        if offset and offset == origin.total:
            return
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if origin.version:
                headers["If-Range"] = origin.version
        get = requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_S)
        with get as response:
            self.check_status(response)
            start, total = extent(response)
            if start and (start != offset or origin.total not in (None, total)):
                discard(self.part)
                raise Unfinished("the server sends another part than it was asked for")
            self.check_size(total)
            self.append(response, Origin(self.url, version(response), total), start)

    def check_status(self, response: requests.Response) -> None:
        """Raise unless the server sends the file, or a part of it."""
        status = f"the server answers {response.status_code} {response.reason}".rstrip()
        if response.status_code == 416:  # it has less than is here
            discard(self.part)
            raise Unfinished(status)
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise Unfinished(status)
        if response.status_code not in (200, 206):
            raise OSError(
                f"{self.url} could not be fetched: {status}. If the address works in your browser, "
                "download it there and install it by Import in the dock Models, or with "
                "'napari-sam models import PATH'."
            )

    def check_size(self, total: int | None) -> None:
        """Raise if the server announces another file than the published one."""
        if total is None:
            return
        is_other = total != self.size_bytes if self.is_size_exact else total > self.limit
        if is_other:
            discard(self.part)
            about = "" if self.is_size_exact else "about "
            raise OSError(
                f"{self.url} announces {total:,} bytes, but the published file has {about}"
                f"{self.size_bytes:,}: it is another file, or a page of the network in between. "
                "Nothing was kept."
            )

    def append(self, response: requests.Response, origin: Origin, start: int) -> None:
        """Write what the server sends, which is the file from byte `start` on."""
        import requests

        expected = self.size_bytes if self.is_size_exact else origin.total
        limit = expected or self.limit
        end = start
        try:
            origin.write(self.part)
            with self.part.open("ab" if start else "wb") as file:
                for chunk in response.iter_content(CHUNK_BYTES):
                    end += len(chunk)
                    if end > limit:
                        raise OSError(f"{self.url} sends more than {limit:,} bytes")
                    file.write(chunk)
                    if self.progress:
                        self.progress(end, expected)
                    if self.cancel.is_set():
                        raise Cancelled(
                            f"Fetching {self.url} was cancelled; what is there is kept."
                        )
        except requests.RequestException:
            raise
        except OSError as error:
            discard(self.part)
            raise OSError(
                f"{self.part.stem} could not be fetched: {error}; nothing was kept."
            ) from error
        if expected is not None and end < expected:
            raise Unfinished(f"the connection ended after {end:,} of {expected:,} bytes")


def size_of(part: Path) -> int:
    """Return the size of a file, 0 if there is none."""
    return part.stat().st_size if part.is_file() else 0


def discard(part: Path) -> None:
    """Remove an unfinished file and what is written about it."""
    for path in (part, Origin.path(part)):
        with contextlib.suppress(OSError):
            path.unlink()


def extent(response: requests.Response) -> tuple[int, int | None]:
    """Return the first byte that the server sends, and the size of the whole file if it says so."""
    if response.status_code == 206:
        found = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "").strip()
        )
        return (int(found[1]), int(found[2])) if found else (-1, None)
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def version(response: requests.Response) -> str | None:
    """Return by what the server can tell whether the file is still the same."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def may_pass(error: Exception) -> bool:
    """Return whether asking again can help."""
    from requests import exceptions

    lasting = (exceptions.InvalidSchema, exceptions.InvalidURL, exceptions.TooManyRedirects)
    return not isinstance(error, lasting)


def reason(error: Exception) -> str:
    """Return in plain words why an attempt failed."""
    from requests import exceptions

    told = {
        exceptions.InvalidSchema: "it leads to an address that is not of the web",
        exceptions.SSLError: "its certificate is not accepted here",
        exceptions.Timeout: "the server is silent",
        exceptions.ChunkedEncodingError: "the connection was cut",
        exceptions.ConnectionError: "the server can't be reached or fell silent",
    }
    return next((text for kind, text in told.items() if isinstance(error, kind)), str(error))
