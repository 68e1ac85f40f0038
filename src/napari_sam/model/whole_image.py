"""One whole image in the model's window: the way in which the published models are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from napari_sam.model.base import Model
from napari_sam.model.full_size import Interpolation, axis_matrix, full_size_masks
from napari_sam.model.inputs import check_shape


class WholeImage:
    """An image that a model sees as a whole, for any number of prompts.

    The longest side is resized to the model's window, so details of large images are lost; see
    `napari_sam.Embeddings` for a way that keeps them. With an official checkpoint, the answers are
    those of its own code.

    Parameters
    ----------
    model : Model
        Any of `load_model`.
    image : (H, W) or (H, W, 3) uint8 array
        Gray or RGB. `to_uint8` converts others.

    Attributes
    ----------
    shape_yx : tuple of int
        H and W.
    window_shape_yx : tuple of int
        What they are resized to.
    features : Features
        The image as the model sees it.
    rows, columns : Interpolation
        How masks are enlarged along each axis; see `full_size_masks`.

    Raises
    ------
    TypeError, ValueError
        If the image has another type or shape.
    """

    def __init__(self, model: Model, image: ArrayLike) -> None:
        pixels = np.asarray(image)
        check_image(pixels)
        self.model = model
        self.shape_yx = pixels.shape[0], pixels.shape[1]
        self.window_shape_yx = target_shape(self.shape_yx, model.image_size)
        resized = torch.from_numpy(resize(pixels, self.window_shape_yx))
        channels = resized[None] if resized.ndim == 2 else resized.permute(2, 0, 1)
        self.features = model.encode(channels[None].float() / 255)
        self.rows, self.columns = (
            Interpolation(axis_matrix(model.low_res_size, model.image_size, in_window, in_image))
            for in_window, in_image in zip(self.window_shape_yx, self.shape_yx, strict=True)
        )

    def predict(
        self,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        multimask: bool = True,
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Segment one object.

        Parameters
        ----------
        points : (P, 2) array, optional
            (row, column) in pixels of the image, pixel centers at integers; may lie outside.
        labels : (P,) array, optional
            1 positive, 0 negative, -1 not a point.
        box : (4,) array, optional
            (row0, column0, row1, column1), like points.
        mask : (L, L) array, optional
            One of the `low_res_logits` of an earlier call.
        multimask : bool
            True: three masks for an ambiguous prompt; False: the one for a prompt that is not.

        Returns
        -------
        masks : (M, H, W) bool array
            M is 3 or 1.
        predicted_iou : (M,) float32 array
            HQ-SAM's own code returns only the mask where it is highest.
        low_res_logits : (M, L, L) float32 array
            Over the whole window, padding included.

        Raises
        ------
        ValueError
            If a prompt has another shape, or is incomplete.
        """
        side = self.model.low_res_size
        low_res_mask = one_object("mask", mask, (side, side))
        logits, predicted_iou = self.model.decode(
            self.features,
            points=self.in_window(one_object("points", points, (None, 2))),
            labels=one_object("labels", labels, (None,)),
            box=self.in_window(one_object("box", box, (4,))),
            mask=None if low_res_mask is None else low_res_mask[:, None],
            multimask=multimask,
        )
        low_res_logits = logits[0].float().cpu().numpy()
        masks = full_size_masks(low_res_logits, self.rows, self.columns)
        return masks, predicted_iou[0].cpu().numpy(), low_res_logits

    def in_window(self, places_yx: torch.Tensor | None) -> torch.Tensor | None:
        """Turn (row, column) pairs, pixels of the image, into the window's (x, y) pairs."""
        if places_yx is None:
            return None
        (height, width), (h, w) = self.shape_yx, self.window_shape_yx
        pairs = places_yx.unflatten(-1, (-1, 2)) * places_yx.new_tensor([h / height, w / width])
        return pairs.flip(-1).view(places_yx.shape)


def target_shape(shape_yx: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Return the shape whose longest side is `image_size`, halves rounded up, no side below 1."""
    scale = image_size / max(shape_yx)
    height, width = (max(1, int(side * scale + 0.5)) for side in shape_yx)
    return height, width


def resize(image: NDArray[np.uint8], shape_yx: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (H, W) or (H, W, 3) pixels as the official code does, bit for bit.

    Which is by Pillow. torch has the same filter, but rounds its weights more coarsely: some pixels
    then differ by one level, and embeddings by more than the rest of the network can.
    """
    height, width = shape_yx
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def to_uint8(image: ArrayLike) -> NDArray[np.uint8]:
    """Convert an image of any numbers as micro-sam does, for its models and `WholeImage`.

    Every channel is stretched from its minimum and maximum to 0 and 255, uint8 too.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        Of two channels, the third becomes 0; of more than three, the first three are taken.

    Returns
    -------
    (H, W) or (H, W, 3) uint8 array

    Raises
    ------
    ValueError
        If the image has another shape, or holds NaN, infinite or immense values.
    """
    values = np.asarray(image)
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ValueError(
            f"The image has shape {values.shape}; expected (height, width) or "
            "(height, width, channels). Take one plane of a stack."
        )
    if values.ndim == 3:
        values = values[:, :, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        values = values.astype(np.float32)
        values -= values.min(axis=(0, 1))
    if not np.isfinite(values).all():
        raise ValueError(
            "The image holds NaN or infinite values, or some that are too far apart for float32; "
            "replace them by others."
        )
    values /= values.max(axis=(0, 1)) + np.float32(1e-7)
    levels = (values * 255).astype(np.uint8)
    if levels.ndim == 2 or levels.shape[2] == 3:
        return levels
    if levels.shape[2] == 1:
        return levels[..., 0]
    return np.pad(levels, ((0, 0), (0, 0), (0, 1)))


def check_image(image: NDArray[Any]) -> None:
    """Raise unless `image` is what `WholeImage` takes."""
    if image.dtype != np.uint8:
        raise TypeError(
            f"The image has type {image.dtype}; expected uint8, from 0 to 255. "
            "Convert it with to_uint8(image), or in a way that suits its values."
        )
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or 0 in image.shape:
        raise ValueError(
            f"The image has shape {image.shape}; expected (height, width) for gray or "
            "(height, width, 3) for RGB. Take one plane of a stack; to_uint8(image) brings other "
            "numbers of channels to three."
        )


def one_object(
    name: str, prompt: ArrayLike | None, shape: tuple[int | None, ...]
) -> torch.Tensor | None:
    """Check the prompt of one object and return it as of the only one, (1, ...) float64."""
    if prompt is None:
        return None
    tensor = torch.from_numpy(np.asarray(prompt, np.float64))
    check_shape(name, tensor, shape)
    return tensor[None]
