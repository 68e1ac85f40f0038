from importlib.metadata import version as installed_version

project = "napari-sam"
author = "The napari-sam developers"
copyright = "2026, The napari-sam developers"
version = release = installed_version("napari-sam")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_title = "napari-sam"
