"""The settings of SAM's automatic mask generator, under their official names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.model.base import Model
from napari_sam.segment.point_grid import unit_grid

OutputMode = Literal["binary_mask", "uncompressed_rle", "coco_rle"]
"""A boolean array of the image's shape; or its runs, as a list or as pycocotools writes them."""


@dataclass(frozen=True, eq=False)
class GeneratorSettings:
    """What `generate_masks` looks for, and what it keeps.

    Parameters
    ----------
    points_per_side : int or None
        Points along each side of the image; None if there are `point_grids`.
    points_per_batch : int
        Points asked at a time, at most; on a CPU, two are faster than many.
    pred_iou_thresh : float, optional
        Masks must be predicted to be better than that, unless it is 0 or less. Default: what suits
        the model, of SAM the official 0.88.
    stability_score_thresh : float, optional
        Masks must be at least that stable, unless it is 0 or less. Default: what suits the model,
        of SAM the official 0.95.
    stability_score_offset : float
        Stability compares the areas at logit thresholds plus and minus this.
    box_nms_thresh : float
        IoU of boxes above which only the better of two masks in a crop is kept.
    crop_n_layers : int
        How often to look again at crops, each time with twice as many along each side.
    crop_nms_thresh : float
        As `box_nms_thresh`, for masks of different crops; those of the smaller crop are kept.
    crop_overlap_ratio : float
        Overlap of crops in the first layer, in short sides of the image; halved in each next one.
    crop_n_points_downscale_factor : int
        Divides the points along each side from layer to layer.
    point_grids : sequence of (N, 2) arrays, optional
        Points as fractions (x, y) of width and height, a grid for each layer.
    min_mask_region_area : int
        Holes and islands of fewer pixels are removed; 0 leaves them.
    output_mode : {"binary_mask", "uncompressed_rle", "coco_rle"}
        The form of the masks (:data:`OutputMode`).
    """

    points_per_side: int | None = 32
    points_per_batch: int = 64
    pred_iou_thresh: float | None = None
    stability_score_thresh: float | None = None
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    point_grids: Sequence[ArrayLike] | None = None
    min_mask_region_area: int = 0
    output_mode: OutputMode = "binary_mask"

    def __post_init__(self) -> None:
        if (self.points_per_side is None) == (self.point_grids is None):
            raise ValueError(
                "Give either points_per_side or point_grids; for the latter, set "
                "points_per_side=None."
            )
        if self.output_mode not in get_args(OutputMode):
            raise ValueError(
                f"output_mode is {self.output_mode!r}; expected one of "
                f"{', '.join(get_args(OutputMode))}."
            )
        for name, least in (
            ("points_per_batch", 1),
            ("crop_n_layers", 0),
            ("crop_n_points_downscale_factor", 1),
            ("min_mask_region_area", 0),
            ("stability_score_offset", 0),
        ):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected {least} or more.")
        for name in ("box_nms_thresh", "crop_nms_thresh", "crop_overlap_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected from 0 to 1.")
        for layer in range(self.crop_n_layers + 1):
            self.grid(layer)

    def accepted_iou(self, model: Model) -> float:
        """Return what the predicted IoU of a mask must exceed."""
        return model.accepted_iou if self.pred_iou_thresh is None else self.pred_iou_thresh

    def accepted_stability(self, model: Model) -> float:
        """Return what the stability of a mask must reach."""
        given = self.stability_score_thresh
        return model.accepted_stability if given is None else given

    def grid(self, layer: int) -> NDArray[np.float64]:
        """Return the points of a layer of crops, (N, 2) fractions (y, x) of a crop's sides.

        Raises
        ------
        ValueError
            If there is no such grid.
        """
        if self.points_per_side is not None:
            n_per_side = int(self.points_per_side / self.crop_n_points_downscale_factor**layer)
            if n_per_side < 1:
                raise ValueError(
                    f"points_per_side is {self.points_per_side}, which leaves no point in layer "
                    f"{layer} of the crops; expected more."
                )
            return unit_grid(n_per_side)
        grids = self.point_grids or []
        if layer >= len(grids):
            raise ValueError(
                f"There are {len(grids)} point_grids; expected {self.crop_n_layers + 1}, for the "
                "image and each layer of crops."
            )
        points = np.asarray(grids[layer], np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError(
                f"point_grids[{layer}] has shape {points.shape}; expected (N, 2) finite fractions."
            )
        return points[:, ::-1]
