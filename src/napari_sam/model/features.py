"""What an image encoder hands to a mask decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Features:
    """Feature maps of a batch of windows.

    Parameters
    ----------
    maps : tuple of torch.Tensor
        Each (B, C, h, w), float32. ``maps[0]`` is the image embedding; further maps, where a
        network has them, carry finer detail for the decoder.
    """

    maps: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        """Return the number of windows, B."""
        return len(self.maps[0])

    def __getitem__(self, index: int) -> Features:
        """Return one window's features, its batch axis kept: each map (1, C, h, w)."""
        i = range(len(self))[index]
        # A copy, so that keeping one window does not keep its whole batch in memory.
        return Features(tuple(m[i : i + 1].clone() for m in self.maps))

    @property
    def nbytes(self) -> int:
        """Memory of all maps, in bytes."""
        return sum(m.nbytes for m in self.maps)
