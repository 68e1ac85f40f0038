"""Libraries that only some formats need."""

from __future__ import annotations

from importlib import import_module
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
        package = module.partition(".")[0]
        raise ImportError(
            f'{what} needs the package {package}. Run pip install "napari-sam[export]".'
        ) from error
