"""Decode an object of ``nano`` in its neighborhood instead of the whole window.

Most objects fill a small part of a window, and a decoder's time goes into the cells that it looks
at. What lies beyond hardly matters: the network was trained on crops no larger than this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from napari_sam.model.nano_decoder import NanoMaskDecoder

SIDE = 256
"""Of a neighborhood, in samples."""

MARGIN = 48
"""Samples that are seen at least on each side of the prompts, except beyond the window."""

EMBEDDING_STRIDE, DETAIL_STRIDE, LOGITS_STRIDE = 8, 4, 2
"""Samples of a window per cell of the maps."""

SINGLE, SEVERAL = slice(0, 1), slice(1, None)
"""Of the decoder's masks, those for a clear and for an ambiguous prompt."""

REACH = -1.0
"""Logit down to which a mask reaches: its stability counts pixels down to this one."""

BACKGROUND = -12.0
"""Logit of what lies outside the neighborhood."""

EIGHT_NEIGHBORS = np.ones((3, 3))

Wanted: TypeAlias = Callable[[Tensor], Tensor]
"""Tells from the predicted IoU of (N, M) masks which of them are needed, as flags."""


class PromptTensors(NamedTuple):
    """Prompts for N objects, as `NanoMaskDecoder.forward` takes them."""

    points: Tensor
    labels: Tensor
    box: Tensor
    mask: Tensor | None

    def to(self, device: torch.device) -> PromptTensors:
        """Return the same on a device."""
        mask = None if self.mask is None else self.mask.to(device)
        return PromptTensors(
            self.points.to(device), self.labels.to(device), self.box.to(device), mask
        )

    def of(self, objects: Tensor | slice) -> PromptTensors:
        """Return the prompts for some of the objects, told by (n,) indices."""
        mask = None if self.mask is None else self.mask[objects]
        return PromptTensors(self.points[objects], self.labels[objects], self.box[objects], mask)

    def extents(self) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest (x, y), each (N, 2), of all that is shown."""
        points = self.points.where(self.labels[..., None] >= 0, torch.nan)
        shown = [points, self.box.view(-1, 2, 2)]
        if self.mask is not None:
            is_inside = self.mask[:, 0] > 0  # (N, h, w)
            axes = [span(is_inside.any(1)), span(is_inside.any(2))]
            shown.append(torch.stack(axes, dim=2) * LOGITS_STRIDE)
        corners = torch.cat(shown, dim=1)  # (N, …, 2)
        is_nothing = corners.isnan()
        low = corners.masked_fill(is_nothing, torch.inf).amin(1)
        high = corners.masked_fill(is_nothing, -torch.inf).amax(1)
        return low, high

    def seen_from(self, corners: Tensor) -> PromptTensors:
        """Return the prompts within neighborhoods with (N, 2) corners."""
        points = self.points - corners[:, None]
        mask = None if self.mask is None else cut(self.mask, corners, LOGITS_STRIDE)
        return PromptTensors(points, self.labels, self.box - corners.repeat(1, 2), mask)


def all_masks(predicted_iou: Tensor) -> Tensor:
    """Want every mask, whatever its predicted IoU (`Wanted`)."""
    return torch.ones_like(predicted_iou, dtype=torch.bool)


def decode_near(
    decoder: NanoMaskDecoder,
    maps: Sequence[Tensor],
    prompts: PromptTensors,
    masks: slice,
    is_wanted: Wanted = all_masks,
) -> tuple[Tensor, Tensor]:
    """Decode objects in their neighborhoods; masks that reach farther in the whole window.

    A network of this size leaves islands on similar things nearby. Of each mask only those
    connected parts are kept that hold a prompt; all of them if none does.

    Parameters
    ----------
    decoder : NanoMaskDecoder
    maps : (1, 128, h, h) and (1, 32, 2h, 2h) tensors
        Features of a window.
    prompts : PromptTensors
        For N objects.
    masks : slice
        Which M of the decoder's masks to return.
    is_wanted : callable
        The other masks may have islands, and may end where the neighborhood does.

    Returns
    -------
    logits : (N, M, 4h, 4h) tensor
    predicted_iou : (N, M) tensor
    """
    embedding, detail = maps
    n, side = len(prompts.points), embedding.shape[-1] * EMBEDDING_STRIDE
    n_masks = len(range(decoder.N_MASKS)[masks])
    logits = embedding.new_full((n, n_masks, side // 2, side // 2), BACKGROUND)
    predicted_iou = embedding.new_zeros(n, n_masks)
    is_missing = torch.ones_like(predicted_iou, dtype=torch.bool)

    corners, fits = neighborhoods(prompts, side)
    near = fits.nonzero()[:, 0]
    if len(near):
        places, n_near = corners[near], len(near)
        moved = prompts.of(near).seen_from(places)
        found, quality = decoder(
            cut(embedding.expand(n_near, -1, -1, -1), places, EMBEDDING_STRIDE),
            cut(detail.expand(n_near, -1, -1, -1), places, DETAIL_STRIDE),
            *moved,
            origin=places,
        )
        found, predicted_iou[near] = found[:, masks], quality[:, masks]
        wanted = is_wanted(predicted_iou[near])
        remove_islands(found, wanted, moved)
        is_missing[near] = wanted & reach_border(found, places, side)
        paste(logits, near, found, places)

    far = is_missing.any(1).nonzero()[:, 0]
    if len(far):
        whole = (shared.expand(len(far), -1, -1, -1) for shared in maps)
        asked, chosen = prompts.of(far), is_missing[far]
        found, quality = decoder(*whole, *asked)
        found = found[:, masks]
        remove_islands(found, chosen, asked)
        logits[is_missing], predicted_iou[is_missing] = found[chosen], quality[:, masks][chosen]
    return logits, predicted_iou


def neighborhoods(prompts: PromptTensors, window: int) -> tuple[Tensor, Tensor]:
    """Choose where to look at N objects.

    Returns
    -------
    corners : (N, 2) tensor
        (x, y) of the first sample of each neighborhood; in the window, on cells of all maps.
    fits : (N,) bool tensor
        Whether the prompts fit into one.
    """
    low, high = prompts.extents()
    extent = high - low  # negative if nothing is shown
    fits = ((extent >= 0) & (extent <= SIDE - 2 * MARGIN)).all(1)
    first = ((low + high) / 2 - SIDE / 2).nan_to_num() / EMBEDDING_STRIDE
    return (first.round() * EMBEDDING_STRIDE).clamp(0, window - SIDE), fits


def cut(maps: Tensor, corners: Tensor, stride: int) -> Tensor:
    """Cut neighborhoods with (N, 2) corners out of (N, C, h, w) maps of a stride."""
    side = SIDE // stride
    places = (corners / stride).long().tolist()
    return torch.stack(
        [one[:, y : y + side, x : x + side] for one, (x, y) in zip(maps, places, strict=True)]
    )


def paste(logits: Tensor, objects: Tensor, found: Tensor, corners: Tensor) -> None:
    """Write the (n, M, …) logits of n neighborhoods into those of the window, at (n,) objects."""
    side = found.shape[-1]
    places = (corners / LOGITS_STRIDE).long().tolist()
    for i, one, (x, y) in zip(objects.tolist(), found, places, strict=True):
        logits[i, :, y : y + side, x : x + side] = one


def reach_border(found: Tensor, corners: Tensor, window: int) -> Tensor:
    """Return which of (n, M, h, w) masks of neighborhoods go on in the window, as (n, M) flags."""
    borders = found[..., :, 0], found[..., 0, :], found[..., :, -1], found[..., -1, :]
    is_there = torch.stack([border.amax(-1) > REACH for border in borders], dim=2)
    is_open = torch.cat([corners > 0, corners + SIDE < window], dim=1)  # left, top, right, bottom
    return (is_there & is_open[:, None]).any(2)


def remove_islands(found: Tensor, wanted: Tensor, prompts: PromptTensors) -> None:
    """Remove from the wanted of (n, M, h, w) masks what is not connected to a prompt."""
    for i, k in wanted.nonzero().tolist():
        numbers, _ = ndimage.label((found[i, k] > REACH).cpu(), EIGHT_NEIGHBORS)
        parts = torch.from_numpy(numbers)
        kept = at_prompts(parts, prompts, i)
        if len(kept):
            is_island = (parts > 0) & ~torch.isin(parts, kept)
            found[i, k][is_island.to(found.device)] = BACKGROUND


def at_prompts(parts: Tensor, prompts: PromptTensors, i: int) -> Tensor:
    """Return the numbers of those parts (h, w) that hold a positive prompt for object ``i``."""
    points = prompts.points[i][prompts.labels[i] == 1].cpu()
    x, y = (points / LOGITS_STRIDE).long().clamp(0, len(parts) - 1).T
    asked = [parts[y, x]]
    if not prompts.box[i].isnan().any():
        x0, y0, x1, y1 = (prompts.box[i] / LOGITS_STRIDE).long().clamp(min=0).tolist()
        asked.append(parts[y0 : y1 + 1, x0 : x1 + 1].flatten())
    if prompts.mask is not None:
        asked.append(parts[prompts.mask[i, 0].cpu() > 0])
    found = torch.cat(asked)
    return found[found > 0]


def span(is_inside: Tensor) -> Tensor:
    """Return the first and the last index, (N, 2), of the flags (N, L) that are set; else NaN."""
    index = torch.arange(is_inside.shape[1], device=is_inside.device).float()
    first = index.where(is_inside, torch.inf).amin(1)
    last = index.where(is_inside, -torch.inf).amax(1)
    both = torch.stack([first, last], dim=1)
    return both.masked_fill(both.isinf(), torch.nan)
