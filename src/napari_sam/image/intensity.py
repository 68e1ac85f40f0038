"""How raw values become intensities in [0, 1]: one range per channel, chosen once per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Conversion = Literal["percentiles", "min-max"]
"""How an `Intensity` is chosen: `Intensity.from_sample` or `Intensity.from_extremes`."""

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.8

EPSILON = 1e-7
"""What micro-sam adds to the span of the raw values before it divides by it."""


@dataclass(frozen=True)
class Intensity:
    """The raw values that read as 0 and as 1, for each channel.

    Attributes
    ----------
    low, high : tuple of float
        One number per channel, low ≤ high. Where they are equal, the values up to them read as 0.
    is_8_bit : bool
        Whether to compute as micro-sam does, in single precision and truncated to 255 steps.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    is_8_bit: bool = False

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or not self.low:
            raise ValueError(
                f"An intensity range has one low and one high value for each channel, found "
                f"low={self.low}, high={self.high}."
            )
        if not (np.isfinite(self.low + self.high).all() and (self._low <= self._high).all()):
            raise ValueError(
                f"Intensity limits are finite and low ≤ high, found low={self.low}, "
                f"high={self.high}."
            )

    @classmethod
    def from_sample(cls, sample: NDArray[Any]) -> Intensity:
        """Choose the range from percentiles 1 and 99.8 of the finite values of a sample.

        If these are the same, as in an image with few bright pixels, minimum and maximum are used.

        Parameters
        ----------
        sample : (C, N) array
            Raw values of each channel.

        Raises
        ------
        ValueError
            If a channel has no finite value.
        """
        ranges = [_range(channel) for channel in sample]
        return cls(tuple(low for low, _ in ranges), tuple(high for _, high in ranges))

    @classmethod
    def from_extremes(cls, sample: NDArray[Any]) -> Intensity:
        """Choose the range as micro-sam does: from minimum to maximum, then 8 bits.

        Its models have learned from images that were converted so, one by one.

        Parameters
        ----------
        sample : (C, N) array
            Raw values of each channel; what is not finite is left out.

        Raises
        ------
        ValueError
            If a channel has no finite value.
        """
        with np.errstate(over="ignore"):  # what float32 can't hold is refused below
            finite = [_finite(channel).astype(np.float32) for channel in sample]
        return cls(
            tuple(float(channel.min()) for channel in finite),
            tuple(float(channel.max()) for channel in finite),
            is_8_bit=True,
        )

    @classmethod
    def joined(cls, parts: Sequence[Intensity]) -> Intensity:
        """Return the ranges of several intensities, which were all chosen in the same way."""
        if len(parts) == 1:
            return parts[0]
        low = tuple(limit for part in parts for limit in part.low)
        high = tuple(limit for part in parts for limit in part.high)
        return cls(low, high, parts[0].is_8_bit)

    def split(self, n_channels: int) -> list[Intensity]:
        """Return the intensities of so many channels each that were `joined`."""
        if len(self.low) == n_channels:
            return [self]
        starts = range(0, len(self.low), n_channels)
        parts = [slice(start, start + n_channels) for start in starts]
        return [Intensity(self.low[part], self.high[part], self.is_8_bit) for part in parts]

    def normalize(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Map a (C, h, w) array of raw values to float32 in [0, 1]; NaN and infinity become 0."""
        if self.is_8_bit:
            return self._normalize_8_bit(raw)
        # Differences of the largest float32 numbers overflow float32.
        least = np.float64 if raw.dtype.kind == "f" else np.float32
        real = raw.astype(np.result_type(raw.dtype, least), copy=False)
        low, high = (limit.astype(real.dtype)[:, None, None] for limit in (self._low, self._high))
        span = np.where(high > low, high - low, 1).astype(real.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.clip((real - low) / span, 0, 1)
        if raw.dtype.kind == "f":
            scaled[~np.isfinite(raw)] = 0
        return np.asarray(scaled, np.float32)

    def _normalize_8_bit(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        low, high = (limit.astype(np.float32)[:, None, None] for limit in (self._low, self._high))
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (raw.astype(np.float32) - low) / (high - low + np.float32(EPSILON))
            levels = np.floor(np.clip(scaled, 0, 1) * np.float32(255))
        if raw.dtype.kind == "f":
            levels[~np.isfinite(raw)] = 0
        return np.asarray(levels / 255, np.float32)

    @property
    def _low(self) -> NDArray[np.float64]:
        return np.array(self.low, np.float64)

    @property
    def _high(self) -> NDArray[np.float64]:
        return np.array(self.high, np.float64)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    finite = _finite(values).astype(np.float64)
    low, high = np.percentile(finite, [LOW_PERCENTILE, HIGH_PERCENTILE]).tolist()
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError(
            f"None of {values.size} sampled pixels is finite, so no intensity range can be chosen. "
            f"Check the image; in Python, intensity=Intensity((low,), (high,)) gives one."
        )
    return finite
