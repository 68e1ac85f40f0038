"""Libraries that only some formats need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def load_extra(module: str, what: str) -> Any:
    """Import a library of the extra ``export``.

    Raises
    ------
    ImportError
        If it is not installed; says how to get it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(_wanted(module.partition(".")[0], what)) from error


def check_extras(packages: Iterable[str], what: str) -> None:
    """Refuse what needs packages that are not installed, before it begins; imports none.

    Raises
    ------
    ImportError
        As `load_extra`.
    """
    for package in packages:
        if find_spec(package) is None:
            raise ImportError(_wanted(package, what))


def _wanted(package: str, what: str) -> str:
    return (
        f"{what} needs the package {package}, which is not installed. Run pip install "
        f'"napari-sam[export]".'
    )
