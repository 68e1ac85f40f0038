"""Who looks at a terminal sees at once that something happens, and how far it is."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from napari_sam.cli.segment_image import _show
from napari_sam.segment.stack import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_bars(kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = kind()
    monkeypatch.setattr(sys, "stderr", screen)
    shown: list[str] = []

    def steps() -> Iterator[Progress]:
        shown.append(screen.getvalue())
        for n_done in (2, 3):
            yield Progress("find", n_done, 3)
            shown.append(screen.getvalue())
        yield Progress("write", 1, 1)

    _show(steps(), "coins")
    if kind is io.StringIO:
        assert not screen.getvalue(), "a file is no place for bars"
        return
    assert "coins …" in shown[0], "before the first tile"
    assert "coins: finding objects" in shown[1]
    assert "coins: writing labels" in screen.getvalue()
    assert screen.getvalue().endswith("\r"), "the bars are gone"
