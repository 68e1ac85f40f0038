"""Which channels are read: by number or by name."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

Channels = int | str | Sequence[int | str] | None
"""What the user may ask for; ``"max"`` is the maximum over all."""


def parse_channels(
    channels: Channels, axes: str, shape: tuple[int, ...], names: tuple[str, ...]
) -> tuple[int, ...]:
    """Return the numbers of the channels that are read, ``()`` if there is no such axis.

    Raises
    ------
    TypeError
        If they are neither numbers nor names.
    ValueError
        If there are no such channels, more than three are asked for, or it is not clear which.
    """
    if "c" not in axes:
        if channels is not None:
            raise ValueError(
                f"channels={channels} was given, but the image has no channel c: its axes are "
                f"{axes!r}."
            )
        return ()
    count = shape[axes.index("c")]
    if channels is None:
        return _default(axes, shape, count, names)
    if isinstance(channels, str) and channels == "max":
        return tuple(range(count))
    chosen: Iterable[int | str]
    if isinstance(channels, str) or not isinstance(channels, Iterable):
        chosen = (channels,)
    else:
        chosen = channels
    parsed = tuple(_parse_channel(one, channels, names) for one in chosen)
    if not 1 <= len(parsed) <= 3 or not all(0 <= channel < count for channel in parsed):
        raise ValueError(
            f"channels={channels} was given; expected one to three numbers, each from 0 to "
            f"{count - 1}." + _known(names)
        )
    return parsed


def _default(
    axes: str, shape: tuple[int, ...], count: int, names: tuple[str, ...]
) -> tuple[int, ...]:
    rgba = axes[-1] == "c" and count == 4
    if count in (1, 3) or rgba:
        return tuple(range(3 if rgba else count))
    hint = ""
    if count > 4 and len(axes) == 3:
        hint = f" If these are no channels but slices, give axes={axes.replace('c', 'z')!r}."
        if axes[-1] == "c":
            hint = f" No RGB image has {count} channels: of a stack of this shape, give axes='zyx'."
    raise ValueError(
        f"The image has {count} channels: say which one to read, or which two or three as "
        f"red, green and blue, for example channels=0; or channels='max' for the maximum over all."
        + _known(names)
        + hint
    )


def _parse_channel(channel: int | str, channels: Channels, names: tuple[str, ...]) -> int:
    if not isinstance(channel, str):
        try:
            return operator.index(channel)
        except TypeError as error:
            raise TypeError(
                f"channels is {channels!r}; expected one to three integers or names, or 'max'."
            ) from error
    found = [number for number, name in enumerate(names) if name == channel]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"The channels {found} are all named {channel!r}: choose by number.")
    raise ValueError(
        f"There is no channel {channel!r}."
        + (_known(names) or " The channels of this image have no names: choose by number.")
    )


def _known(names: tuple[str, ...]) -> str:
    known = ", ".join(f"{number} {name!r}" for number, name in enumerate(names) if name)
    return f" The channels are {known}." if known else ""
