"""The intensity of each plane of an image: one for all, or one for each channel behind a slider."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.intensity import Conversion, Intensity
from napari_sam.image.pyramid import Pyramid
from napari_sam.image.sample import describe_sample, sample_pixels


class Ranges:
    """Measures intensities where they are first needed, each on a bounded sample, and keeps them.

    Usable from any thread.

    Parameters
    ----------
    pyramid : Pyramid
        What is measured; planes at the same position along its `channel_axis` share an intensity.
    given : Intensity, optional
        The ranges of all positions, one behind the other; then nothing is measured.
    conversion : "percentiles" or "min-max"
        How an intensity is chosen.

    Raises
    ------
    ValueError
        If an intensity is given for more channels, or fewer.
    """

    def __init__(self, pyramid: Pyramid, given: Intensity | None, conversion: Conversion) -> None:
        self._pyramid = pyramid
        self._conversion = conversion
        self._lock = threading.Lock()
        self._notes: dict[int, str] = {}
        self.is_given = given is not None
        self._at: dict[int, Intensity] = {}
        if given is not None:
            self._check_count(given)
            self._at = dict(enumerate(given.split(pyramid.n_channels)))

    def of_plane(self, plane: tuple[int, ...]) -> Intensity:
        """Return the intensity that a plane is read with."""
        channel_axis = self._pyramid.channel_axis
        if not channel_axis:
            return self._measured(0)
        return self._measured(plane[self._pyramid.plane_axes.index(channel_axis)])

    @property
    def joined(self) -> Intensity:
        """The ranges of all positions along the channel axis, one behind the other."""
        return Intensity.joined([self._measured(n) for n in range(self._pyramid.n_places)])

    @property
    def note(self) -> str:
        """What is odd about what was measured.

        With a channel axis, of the channels that have been measured so far; else it is done now.
        """
        if not (self.is_given or self._pyramid.channel_axis):
            self._measured(0)
        with self._lock:
            return "; ".join(self._notes[place] for place in sorted(self._notes))

    def _measured(self, place: int) -> Intensity:
        with self._lock:
            if place not in self._at:
                self._at[place] = self._measure(place)
            return self._at[place]

    def _measure(self, place: int) -> Intensity:
        pyramid = self._pyramid
        at = {pyramid.channel_axis: place} if pyramid.channel_axis else {}
        if self._conversion == "min-max":
            sample = sample_pixels(pyramid, at, whole_if_small=True)
            self._note(sample, place)
            return Intensity.from_extremes(sample)
        if pyramid.n_channels == 3 and pyramid.axes.endswith("c") and pyramid.dtype == np.uint8:
            return Intensity((0.0,) * 3, (255.0,) * 3)
        sample = sample_pixels(pyramid, at)
        self._note(sample, place)
        return Intensity.from_sample(sample)

    def _note(self, sample: NDArray[Any], place: int) -> None:
        """Remember what is odd about a sample."""
        where = f"channel {place}: " if self._pyramid.channel_axis else ""
        if odd := "; ".join(describe_sample(sample)):
            self._notes[place] = where + odd

    def _check_count(self, given: Intensity) -> None:
        n_read = self._pyramid.n_places * self._pyramid.n_channels
        if len(given.low) != n_read:
            raise ValueError(
                f"The intensity has limits for {len(given.low)} channels, but {n_read} are read."
            )
