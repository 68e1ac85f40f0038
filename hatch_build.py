"""Hatchling hook: ship the root ``napari.yaml`` as package data of ``napari_sam``."""

from pathlib import Path
from shutil import copyfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManifestHook(BuildHookInterface):
    """A wheel gets a copy of the manifest, an editable install a git-ignored link in ``src``.

    napari looks for the manifest inside the package, and an editable install is the source folder
    itself; the link keeps ``napari.yaml`` at the root of the repository the only one to edit.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the manifest to the build named by `version`, ``"standard"`` or ``"editable"``."""
        if version != "editable":
            build_data["force_include"]["napari.yaml"] = "napari_sam/napari.yaml"
            return
        link = Path(self.root, "src", "napari_sam", "napari.yaml")
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(Path("..", "..", "napari.yaml"))
        except OSError:  # Windows without the right to make symbolic links
            copyfile(Path(self.root, "napari.yaml"), link)
