"""What is wrong before anything is computed: mistakes in options, which end with exit code 2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from napari_sam.cli.wording import with_options


@contextmanager
def told_as_mistakes() -> Iterator[None]:
    """Turn what goes wrong in here into mistakes in options.

    Raises
    ------
    typer.BadParameter
        For errors that a user can mend.
    """
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        raise typer.BadParameter(with_options(error)) from error


def check_there(image: str) -> None:
    """Refuse a path where nothing is; addresses are told when they are opened.

    Raises
    ------
    FileNotFoundError
        If there is no file or folder.
    """
    if "://" not in image and not os.path.lexists(image):
        raise FileNotFoundError(f"There is no file or folder {image}.")
