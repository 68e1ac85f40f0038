"""How well a label image agrees with the truth, object by object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.arange(50, 100, 5) / 100
"""IoU above which an object counts as found, from lenient to strict."""


@dataclass(frozen=True)
class InstanceScores:
    """Agreement of two label images, each from 0 (nothing is right) to 1.

    With TP objects found, FN missed, and FP invented at an IoU threshold, its accuracy is
    TP / (TP + FN + FP). (Caicedo et al. 2019, the Data Science Bowl 2018; Archit et al. 2025.)

    Attributes
    ----------
    msa : float
        Mean segmentation accuracy: the mean over the `THRESHOLDS`, 0.5 to 0.95.
    ap50 : float
        The accuracy at 0.5, which the literature also calls average precision.
    f1 : float
        2 TP / (2 TP + FN + FP) at 0.5.
    """

    msa: float
    ap50: float
    f1: float


def iou_table(truth: NDArray[np.integer], found: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the IoU of every true object with every object found.

    Parameters
    ----------
    truth, found : integer arrays of one shape
        0 is the background; any other numbers are objects.

    Returns
    -------
    (n_true, n_found) float array
        In ascending order of the labels.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if truth.shape != found.shape:
        raise ValueError(f"The truth has shape {truth.shape}, what was found {found.shape}.")
    true_labels, true_index = np.unique(truth, return_inverse=True)
    found_labels, found_index = np.unique(found, return_inverse=True)
    shape = len(true_labels), len(found_labels)
    pairs = true_index.ravel() * shape[1] + found_index.ravel()
    shared = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    iou: NDArray[np.float64] = shared / np.maximum(union, 1)
    return iou[true_labels != 0][:, found_labels != 0]


def instance_scores(truth: NDArray[np.integer], found: NDArray[np.integer]) -> InstanceScores:
    """Compare two label images; two without objects agree perfectly.

    Above an IoU of 0.5, an object overlaps one other at most, so that counting pairs is enough.

    Parameters
    ----------
    truth, found : integer arrays of one shape
        0 is the background; any other numbers are objects.
    """
    iou = iou_table(truth, found)
    n_true, n_found = iou.shape
    if n_true + n_found == 0:
        return InstanceScores(1.0, 1.0, 1.0)
    n_right = (iou[..., None] > THRESHOLDS).sum(axis=(0, 1))
    accuracy = n_right / (n_true + n_found - n_right)
    f1 = 2 * n_right[0] / (n_true + n_found)
    return InstanceScores(float(accuracy.mean()), float(accuracy[0]), float(f1))
