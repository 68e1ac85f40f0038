from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.model import download
from napari_sam.model.download import Cancelled, Download, Origin

from .http_server import FileServer, serving

CONTENT = random.Random(0).randbytes(10_000)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces and short waits; no proxy in between."""
    monkeypatch.setattr(download, "WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(download, "TIMEOUT_S", 5.0)
    monkeypatch.setattr(download, "CHUNK_BYTES", 100)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth.part"


def of(server: FileServer, part: Path, **kwargs: object) -> Download:
    return Download(server.url, part, len(CONTENT), **kwargs)  # type: ignore[arg-type]


def left(part: Path) -> list[str]:
    return sorted(path.name for path in part.parent.iterdir())


@pytest.mark.parametrize("has_ranges", [True, False])
@pytest.mark.parametrize("has_length", [True, False])
def test_whole_file(server: FileServer, part: Path, has_ranges: bool, has_length: bool) -> None:
    server.has_ranges, server.has_length = has_ranges, has_length
    told: list[tuple[int, int | None]] = []
    of(server, part, progress=lambda *now: told.append(now)).run()
    assert part.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [here for here, _ in told] == sorted(here for here, _ in told)
    assert len(told) >= 100


def test_cut_connection_goes_on_where_it_stopped(server: FileServer, part: Path) -> None:
    server.cuts = [4000, 3000]
    of(server, part).run()
    assert part.read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == [None, "bytes=4000-", "bytes=7000-"]
    assert [r.get("If-Range") for r in server.requests] == [None, '"1"', '"1"']


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=12),
    has_ranges=st.booleans(),
    has_length=st.booleans(),
    etag=st.sampled_from(['"1"', 'W/"1"', None]),
)
def test_right_bytes_wherever_it_is_cut(
    cuts: list[int], has_ranges: bool, has_length: bool, etag: str | None
) -> None:
    """Each run may fail, but what it leaves is of use, and running again ends with the file."""
    with serving(CONTENT) as server, tempfile.TemporaryDirectory() as folder:
        server.cuts, server.has_ranges, server.has_length = cuts, has_ranges, has_length
        server.etag = etag
        part = Path(folder, "weights.pth.part")
        for _ in range(20):
            try:
                of(server, part).run()
                break
            except OSError as error:
                assert "Fetch again" in str(error)
                assert CONTENT.startswith(part.read_bytes() if part.exists() else b"")
        assert part.read_bytes() == CONTENT


def test_goes_on_where_the_server_tells_no_length(server: FileServer, part: Path) -> None:
    server.has_length = False
    server.cuts = [4000]
    of(server, part).run()
    assert part.read_bytes() == CONTENT
    assert server.requests[1]["Range"] == "bytes=4000-"


def test_goes_on_after_the_program_ended(server: FileServer, part: Path) -> None:
    server.cuts = [2500, 0, 0, 0]
    with pytest.raises(OSError, match=r"connection was cut.*after the 2,500 bytes.*models import"):
        of(server, part).run()
    server.requests.clear()
    of(server, part).run()
    assert part.read_bytes() == CONTENT
    assert [r["Range"] for r in server.requests] == ["bytes=2500-"]


def test_complete_part_needs_no_request(server: FileServer, part: Path) -> None:
    of(server, part).run()
    server.requests.clear()
    of(server, part).run()
    assert server.requests == []


def test_file_that_changed_starts_again(server: FileServer, part: Path) -> None:
    server.cuts = [4000, 0, 0, 0]
    with pytest.raises(OSError, match="to go on after the 4,000 bytes"):
        of(server, part).run()
    server.content, server.etag = CONTENT[::-1], '"2"'
    of(server, part).run()
    assert part.read_bytes() == CONTENT[::-1]


def test_date_stands_in_for_a_weak_tag(server: FileServer, part: Path) -> None:
    server.etag, server.last_modified = 'W/"1"', "Mon, 02 Jan 2023 00:00:00 GMT"
    server.cuts = [4000]
    of(server, part).run()
    assert server.requests[1]["If-Range"] == server.last_modified
    assert part.read_bytes() == CONTENT


def test_part_of_another_address_is_no_beginning(server: FileServer, part: Path) -> None:
    part.write_bytes(b"something else")
    Origin("https://elsewhere.org/file", None, len(CONTENT)).write(part)
    of(server, part).run()
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("origin", ["", "{}", "[1]", "no json"])
def test_part_of_unknown_origin_is_no_beginning(
    server: FileServer, part: Path, origin: str
) -> None:
    part.write_bytes(b"something else")
    Origin.path(part).write_text(origin)
    of(server, part).run()
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("announced", [9_000, 11_000])
def test_other_size_than_published_is_refused(
    server: FileServer, part: Path, announced: int
) -> None:
    server.announced = announced
    with pytest.raises(OSError, match=rf"announces {announced:,} bytes.*published file has 10,000"):
        of(server, part).run()
    assert left(part) == []


def test_far_more_than_published_is_refused(server: FileServer, part: Path) -> None:
    """Before the disk is full, although the size is not exactly known."""
    server.announced = 10**13
    with pytest.raises(OSError, match=r"announces 10,000,000,000,000 .*has about 10,000: it is"):
        of(server, part, is_size_exact=False).run()
    assert left(part) == []


def test_announces_more_than_it_has(server: FileServer, part: Path) -> None:
    """Only its hash can tell that the file was whole."""
    server.announced = 11_000
    with pytest.raises(OSError, match="could not be fetched"):
        of(server, part, is_size_exact=False).run()
    assert len(server.requests) == 1 + len(download.WAITS_S) + 1


def test_sends_more_than_it_should(server: FileServer, part: Path) -> None:
    server.has_length = False
    server.content = CONTENT * 100
    received: list[int] = []
    with pytest.raises(OSError, match="sends more than 10,000 bytes"):
        of(server, part, progress=lambda here, _: received.append(here)).run()
    assert max(received) <= len(CONTENT)
    assert left(part) == []


def test_sends_without_end(server: FileServer, part: Path) -> None:
    """Where neither the publisher nor the server says how long the file is."""
    server.has_length = False
    server.content = CONTENT * 100
    with pytest.raises(OSError, match="sends more than 20,000 bytes"):
        of(server, part, is_size_exact=False).run()
    assert left(part) == []


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_passing_trouble_of_the_server(server: FileServer, part: Path, status: int) -> None:
    server.statuses = [status, status]
    of(server, part).run()
    assert part.read_bytes() == CONTENT


def test_lasting_trouble_of_the_server(server: FileServer, part: Path) -> None:
    server.statuses = [503] * 10
    with pytest.raises(OSError, match=r"could not be fetched: .* 503 .*Fetch again"):
        of(server, part).run()
    assert len(server.requests) == 1 + len(download.WAITS_S)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_told_at_once(server: FileServer, part: Path, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(OSError, match=rf"{server.url} could not be fetched: .* {status} .*browser"):
        of(server, part).run()
    assert len(server.requests) == 1
    assert left(part) == []


def test_silent_server(server: FileServer, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.1)
    server.stalls = [3000]
    of(server, part).run()
    assert part.read_bytes() == CONTENT
    assert server.requests[1]["Range"] == "bytes=3000-"


def test_no_network(part: Path) -> None:
    with serving(b"") as server:
        url = server.url
    with pytest.raises(OSError, match=rf"{url} could not be fetched: .*can't be reached.*import"):
        Download(url, part, 10).run()
    assert left(part) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/file", "weights.pth"])
def test_only_the_web(part: Path, url: str) -> None:
    with pytest.raises(OSError, match="not an address of the web"):
        Download(url, part, 10).run()


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://example.org/file"])
def test_redirect_out_of_the_web(server: FileServer, part: Path, target: str) -> None:
    server.redirect = target
    with pytest.raises(OSError, match="leads to an address that is not of the web"):
        of(server, part).run()
    assert len(server.requests) == 1
    assert left(part) == []


def test_redirect_within_the_web(server: FileServer, part: Path) -> None:
    with serving(b"") as first:
        first.redirect = server.url
        Download(first.url, part, len(CONTENT)).run()
    assert part.read_bytes() == CONTENT


def test_cancel_keeps_what_is_there(server: FileServer, part: Path) -> None:
    cancel = threading.Event()

    def cancel_at(here: int, total: int | None) -> None:
        if here >= 4000:
            cancel.set()

    with pytest.raises(Cancelled):
        of(server, part, progress=cancel_at, cancel=cancel).run()
    assert part.read_bytes() == CONTENT[:4000]
    of(server, part).run()
    assert part.read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == "bytes=4000-"


def test_cancel_while_waiting(
    server: FileServer, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "WAITS_S", (1000.0,))
    server.statuses = [503]
    cancel = threading.Event()
    timer = threading.Timer(0.1, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        of(server, part, cancel=cancel).run()
    timer.join()


def test_cancelled_before_it_began(server: FileServer, part: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        of(server, part, cancel=cancel).run()
    assert server.requests == []


def test_full_disk(server: FileServer, part: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files on POSIX only")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match=r"weights\.pth could not be fetched: .*nothing was kept"):
            of(server, part).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(part) == []
