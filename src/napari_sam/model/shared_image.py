"""The two-way transformer for many objects that share an image, some of its cells at a time.

Every object changes the image in its own way, and a changed image is larger than a CPU's cache: to
go through it for each step would take longer than the arithmetic. But what the next attention looks
for in the image is known before the image is changed. So both happen in one pass over the cells:
change some, look at them, go on to the next. What no object changes is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from napari_sam.model.running_attention import RunningAttention
from napari_sam.model.transformer import TwoWayBlock, TwoWayTransformer
from napari_sam.model.two_way_attention import TokenToImageAttention
from napari_sam.model.working_memory import at_a_time

OBJECTS_AT_ONCE = 4
"""For how many objects a part of the image should fit into the cache of a CPU."""


class Part(NamedTuple):
    """Some cells of the image.

    Attributes
    ----------
    image, positions : torch.Tensor
        (1, c, C).
    queries : torch.Tensor
        (heads, C', c), what they ask of tokens in the first block.
    """

    image: torch.Tensor
    positions: torch.Tensor
    queries: torch.Tensor


class Change(NamedTuple):
    """How a block changes the image, by attention to the tokens of N objects.

    Attributes
    ----------
    scores : callable
        Takes (N or 1, c, C) cells and the part that they are; returns (N, heads, T, c).
    values : torch.Tensor
        (N, heads · T, C).
    norm : callable
        Normalizes (N, c, C).
    """

    scores: Callable[[torch.Tensor, Part], torch.Tensor]
    values: torch.Tensor
    norm: Callable[[torch.Tensor], torch.Tensor]


class SharedImage:
    """An image, prepared for the two-way transformer to be asked about many objects.

    Parameters
    ----------
    transformer : TwoWayTransformer
        Whose `forward` this does, without gradients.
    image, positions : torch.Tensor
        (1, L, C), as of `TwoWayTransformer.forward`.
    """

    def __init__(
        self, transformer: TwoWayTransformer, image: torch.Tensor, positions: torch.Tensor
    ) -> None:
        self.transformer = transformer
        self._first, *self._others = transformer.blocks
        look, show = self._first.cross_attn_token_to_image, self._first.cross_attn_image_to_token
        keys = image + positions
        self._k, self._v = look.project(look.k_proj, keys), look.project(look.v_proj, image)
        queries = show.project(show.q_proj, keys)[0].mT
        _, n_cells, channels = image.shape
        size = at_a_time(image, n_cells, hidden_elements=2 * OBJECTS_AT_ONCE * channels)
        split = image.split(size, 1), positions.split(size, 1), queries.split(size, 2)
        self._parts = [Part(*(x.contiguous() for x in xs)) for xs in zip(*split, strict=True)]

    def attend(
        self, tokens: torch.Tensor, n_wanted: int
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Update the (N, T, C) tokens of N objects and each object's view of the image.

        Parameters
        ----------
        tokens : torch.Tensor
            (N, T, C).
        n_wanted : int
            How many of each object's tokens, from the first, are needed in the end.

        Returns
        -------
        tokens : torch.Tensor
            (N, n_wanted, C).
        image : list of torch.Tensor
            Part by part, (N, c, C); together (N, L, C).
        """
        positions, cells = tokens, [part.image for part in self._parts]
        look = self._first.cross_attn_token_to_image
        tokens = self._first.exchange(tokens, positions)
        seen = look.attend_projected(tokens + positions, self._k, self._v)
        tokens = self._first.take_in(tokens, seen)
        change = self._first_change(tokens, positions)
        for block in self._others:
            tokens = block.exchange(tokens, positions)
            look = block.cross_attn_token_to_image
            cells, seen = self._change_and_look(cells, change, look, tokens + positions)
            tokens = block.take_in(tokens, seen)
            change = change_by(block, tokens, positions)
        look, tokens = self.transformer.final_attn_token_to_image, tokens[:, :n_wanted]
        queries = tokens + positions[:, :n_wanted]
        cells, seen = self._change_and_look(cells, change, look, queries)
        return self.transformer.norm_final_attn(tokens + seen), cells

    def _change_and_look(
        self,
        cells: Sequence[torch.Tensor],
        change: Change,
        look: TokenToImageAttention,
        q: torch.Tensor,
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the changed cells, and what (N, T, C) queries see in them, (N, T, C)."""
        changed, seen = [], RunningAttention(look.unprojected_queries(q))
        for x, part in zip(cells, self._parts, strict=True):
            weights = change.scores(x, part).softmax(dim=2).flatten(1, 2)
            x = change.norm((weights.mT @ change.values).add_(x))
            seen.add(x + part.positions, x)
            changed.append(x)
        return changed, look.mixed(seen.result())

    def _first_change(self, tokens: torch.Tensor, positions: torch.Tensor) -> Change:
        """Return what the first block does with cells that are still those of all objects."""
        show = self._first.cross_attn_image_to_token
        k = show.project(show.k_proj, tokens + positions) / show.head_dim**0.5
        keys = k.transpose(0, 1).flatten(1, 2)  # (heads, N · T, C')

        def scores(_: torch.Tensor, part: Part) -> torch.Tensor:
            return (keys @ part.queries).unflatten(1, tokens.shape[:2]).transpose(0, 1)

        return Change(scores, show.projected_out(tokens), self._first.norm4)


def change_by(block: TwoWayBlock, tokens: torch.Tensor, positions: torch.Tensor) -> Change:
    """Return how a block changes cells, given (N, T, C) tokens and their positions."""
    show = block.cross_attn_image_to_token
    keys, bias = show.unprojected_keys(tokens + positions)

    def scores(cells: torch.Tensor, part: Part) -> torch.Tensor:
        found = (keys @ (cells + part.positions).mT).add_(bias)
        return found.unflatten(1, (show.num_heads, -1))

    return Change(scores, show.projected_out(tokens), block.norm4)
