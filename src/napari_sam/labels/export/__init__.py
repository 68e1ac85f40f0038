"""Labels for other programs: images, outlines, tables and pictures."""

from napari_sam.labels.export.export import FORMATS, check_packages, export_labels
from napari_sam.labels.export.histograms import write_histograms
from napari_sam.labels.export.overview import write_overview
from napari_sam.labels.export.scores import table_scores

__all__ = [
    "FORMATS",
    "check_packages",
    "export_labels",
    "table_scores",
    "write_histograms",
    "write_overview",
]
