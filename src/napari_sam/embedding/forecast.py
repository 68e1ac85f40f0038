"""What a long run will take, before it starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from napari_sam.embedding.packing import StoredType, pack
from napari_sam.embedding.tiles import CHECKSUM_BYTES
from napari_sam.model.features import Features


@dataclass(frozen=True)
class Forecast:
    """Tiles, disk and time of a run; ``str`` says it in a sentence.

    Attributes
    ----------
    n_tiles : int
        Tiles of the chosen planes and steps.
    n_missing : int
        Those of them that are to be computed.
    nbytes : int
        Disk that these will take.
    seconds : float
        Time that these will take.
    free_bytes : int
        Disk that is free now.
    """

    n_tiles: int
    n_missing: int
    nbytes: int
    seconds: float
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.nbytes <= self.free_bytes

    def __str__(self) -> str:
        if not self.n_missing:
            return "All tiles are stored."
        room = "free" if self.fits else "free: not enough"
        return (
            f"{self.n_missing} of {self.n_tiles} tiles to compute: about "
            f"{say_duration(self.seconds)}, {say_size(self.nbytes)} on disk "
            f"({say_size(self.free_bytes)} {room})."
        )


def forecast(
    n_tiles: int,
    n_missing: int,
    path: Path,
    *,
    features: Features,
    dtype: StoredType,
    seconds_per_tile: float,
) -> Forecast:
    """Tell what it takes to store some tiles.

    Parameters
    ----------
    n_tiles, n_missing : int
        All, and those that the store does not have.
    path : path
        Of the store, which need not exist.
    features : Features
        Of one window, any of this model: tells how large they are.
    dtype : StoredType
        Of the store.
    seconds_per_tile : float
        As measured on this machine, divided by the workers that share the work.
    """
    nbytes = n_missing * stored_bytes(features, dtype)
    free = shutil.disk_usage(next(one for one in (path, *path.parents) if one.exists())).free
    return Forecast(n_tiles, n_missing, nbytes, n_missing * seconds_per_tile, free)


def stored_bytes(features: Features, dtype: StoredType) -> int:
    """Return how much disk the features of one window take in a store of a dtype."""
    packed = pack([m[0].detach().float().cpu().numpy() for m in features.maps], dtype)
    return sum(array.nbytes + CHECKSUM_BYTES for array in packed)


def say_duration(seconds: float) -> str:
    """Return a time as ``"3.2 min"``."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def say_size(nbytes: float) -> str:
    """Return a size as ``"1.5 GB"``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if nbytes >= size:
            return f"{nbytes / size:.3g} {unit}"
    return f"{nbytes / 1e3:.3g} kB"
