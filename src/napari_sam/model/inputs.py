"""Checks of what goes into a network, so that a mistake is told in a sentence."""

from __future__ import annotations

import torch


def check_windows(windows: torch.Tensor, image_size: int) -> None:
    """Raise unless `windows` is what `Model.encode` takes.

    Raises
    ------
    TypeError, ValueError
        Saying what was found and what is expected.
    """
    if windows.dtype != torch.float32:
        raise TypeError(f"windows have type {windows.dtype}; expected float32 in [0, 1].")
    if windows.ndim != 4 or windows.shape[1] not in (1, 3) or 0 in windows.shape:
        raise ValueError(
            f"windows have shape {tuple(windows.shape)}; expected (batch, channels, height, width) "
            "with 1 channel (gray) or 3 (RGB)."
        )
    if max(windows.shape[2:]) > image_size:
        raise ValueError(
            f"windows have shape {tuple(windows.shape)}; this model sees at most {image_size} "
            "samples in height and width. Give smaller windows."
        )
    lowest, highest = windows.min().item(), windows.max().item()
    if not (lowest >= -1e-3 and highest <= 1 + 1e-3):  # also true of NaN
        raise ValueError(
            f"windows hold values from {lowest:g} to {highest:g}; expected finite values in "
            "[0, 1]. Normalize the image first."
        )


def check_prompts(
    points: torch.Tensor | None,
    labels: torch.Tensor | None,
    box: torch.Tensor | None,
    mask: torch.Tensor | None,
    low_res_size: int,
) -> None:
    """Raise unless the prompts are what `Model.decode` takes.

    Raises
    ------
    ValueError
        Saying what was found and what is expected.
    """
    if (points is None) != (labels is None):
        given, missing = ("labels", "points") if points is None else ("points", "labels")
        raise ValueError(f"There are {given} without {missing}; every point needs a label.")
    if points is None and box is None and mask is None:
        raise ValueError("There is no prompt; give points with labels, a box or a mask.")
    if points is not None and labels is not None:
        check_shape("points", points, (None, None, 2))
        check_shape("labels", labels, tuple(points.shape[:2]))
        unknown = sorted(set(labels.flatten().tolist()) - {1, 0, -1})
        if unknown:
            raise ValueError(
                f"labels hold {unknown}; expected 1 (positive), 0 (negative) or -1 (not a point)."
            )
    if box is not None:
        check_shape("box", box, (None, 4))
    if mask is not None:
        check_shape("mask", mask, (None, 1, low_res_size, low_res_size))
    prompts = {"points": points, "box": box, "mask": mask}
    for name, prompt in prompts.items():
        if prompt is not None and 0 in prompt.shape:
            raise ValueError(
                f"{name} has shape {tuple(prompt.shape)}; expected at least one object, and one "
                "point for each (label -1 stands for none)."
            )
    counts = {name: len(prompt) for name, prompt in prompts.items() if prompt is not None}
    if len(set(counts.values())) > 1:
        raise ValueError(f"The prompts are for different numbers of objects: {counts}.")
    for name, prompt in prompts.items():
        if prompt is not None and not prompt.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers.")


def check_shape(name: str, tensor: torch.Tensor, expected: tuple[int | None, ...]) -> None:
    """Raise a ValueError unless the shape is as expected; None stands for any length."""
    found = tuple(tensor.shape)
    fits = len(found) == len(expected) and all(
        e is None or e == f for e, f in zip(expected, found, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise ValueError(f"{name} has shape {found}; expected ({wanted}).")
