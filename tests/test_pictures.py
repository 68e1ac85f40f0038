"""The pictures of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_BYTES = 6_000_000


def test_all_pictures_that_pages_show_are_there_and_all_that_are_there_are_shown():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.md")]
    links = [
        page.parent / link
        for page in pages
        for link in re.findall(r"!\[[^]]*\]\(([^):]+)\)", page.read_text(encoding="utf-8"))
    ]
    there = set((ROOT / "docs" / "images").rglob("*.png"))
    assert {link.resolve() for link in links} == {path.resolve() for path in there}
    assert sum(path.stat().st_size for path in there) < MOST_BYTES
