"""What the encoder of a model says about each window of an image."""

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.embedding.grid import TileGrid

__all__ = ["Embeddings", "TileGrid"]
