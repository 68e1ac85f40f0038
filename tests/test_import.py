"""The package is light to import, and its public names are what they say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_sam

HEAVY = {"torch", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari", "magicgui", "dask"}


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_loads_neither_torch_nor_qt():
    assert not modules_after("import napari_sam") & HEAVY


def test_asking_for_version_and_names_loads_nothing_heavy():
    assert not modules_after("import napari_sam; napari_sam.__version__; dir(napari_sam)") & HEAVY


@pytest.mark.parametrize("name", ["Prompts", "Mask", "Candidates", "Image", "open_image"])
def test_numpy_only_names_do_not_load_torch_or_qt(name):
    loaded = modules_after(f"from napari_sam import {name}")
    assert not loaded & (HEAVY - {"dask"})


def test_session_loads_no_qt():
    qt = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
    assert not modules_after("from napari_sam import session") & qt


@pytest.mark.parametrize("name", napari_sam.__all__)
def test_every_public_name_is_found(name):
    assert name in dir(napari_sam)
    assert getattr(napari_sam, name) is not None


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="'napari_sam' has no attribute 'segment_everything'"):
        napari_sam.segment_everything  # noqa: B018


def test_type_checkers_see_the_names_that_are_found_at_run_time():
    tree = ast.parse(Path(napari_sam.__file__).read_text())
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_sam.")
        for alias in node.names
    }
    assert imported == {name: f"napari_sam.{home}" for name, home in napari_sam._HOME.items()}
