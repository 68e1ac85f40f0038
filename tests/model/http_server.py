"""A server of one file that behaves as badly as it is told to."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serves `content` at every address.

    Parameters
    ----------
    content : bytes
        The file.

    Attributes
    ----------
    has_ranges : bool
        Whether it can start in the middle of the file.
    etag, last_modified : str or None
        Told with each answer; a range is only sent if ``If-Range`` names one of them.
    statuses : list of int
        The next answers are these, without the file.
    cuts : list of int
        The next answers break off after so many bytes.
    announced : int or None
        Length of the whole file that it claims, instead of the right one.
    has_length : bool
        Whether it says how long the file is (else it sends chunks).
    stalls : list of int
        The next answers fall silent after so many bytes.
    redirect : str or None
        Where it sends everybody.
    requests : list of dict
        The headers of all requests so far.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.has_ranges = True
        self.etag: str | None = '"1"'
        self.last_modified: str | None = None
        self.statuses: list[int] = []
        self.cuts: list[int] = []
        self.announced: int | None = None
        self.has_length = True
        self.stalls: list[int] = []
        self.redirect: str | None = None
        self.requests: list[dict[str, str]] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """The address of the file."""
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send the file, or a part of it, or what else was asked for."""
        server = self.server
        server.requests.append(dict(self.headers))
        self.close_connection = True
        if server.redirect is not None:
            self.head(302, {"Location": server.redirect, "Content-Length": "0"})
            return
        if server.statuses:
            self.head(server.statuses.pop(0), {"Content-Length": "0"})
            return
        start = self.first_byte()
        size = server.announced if server.announced is not None else len(server.content)
        if start >= size and start:
            self.head(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        headers = {"ETag": server.etag, "Last-Modified": server.last_modified}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if server.has_length:
            headers["Content-Length"] = str(size - start)
        else:
            headers["Transfer-Encoding"] = "chunked"
        self.head(206 if start else 200, headers)
        self.body(server.content[start:])

    def first_byte(self) -> int:
        """Return the first byte to send."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        known = (None, self.server.etag, self.server.last_modified)
        return int(asked[1]) if asked and self.server.has_ranges and condition in known else 0

    def head(self, status: int, headers: dict[str, str | None]) -> None:
        """Send the status and the headers."""
        self.send_response(status)
        for key, value in headers.items():
            if value is not None:
                self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self, content: bytes) -> None:
        """Send the bytes, up to a cut or a stall."""
        server = self.server
        cut = server.cuts.pop(0) if server.cuts else None
        stall = server.stalls.pop(0) if server.stalls else None
        content = content[:cut] if stall is None else content[:stall]
        if server.has_length:
            self.wfile.write(content)
        else:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content) if content else b"")
            if cut is None and stall is None:
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if stall is not None:
            server.ended.wait(30)


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """Serve a file while the block runs."""
    server = FileServer(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
