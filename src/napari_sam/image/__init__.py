"""Reading one window of one plane of any image."""

from napari_sam.image.image import Image, open_image
from napari_sam.image.intensity import Intensity
from napari_sam.image.window import Window

__all__ = ["Image", "Intensity", "Window", "open_image"]
