"""The command ``napari-sam``: each of its parts in a file of its own."""

from napari_sam.cli.app import app, main

__all__ = ["app", "main"]
