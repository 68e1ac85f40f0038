"""Sentences of the library, which names arguments as Python does, with the names of options."""

from __future__ import annotations

import re
from collections.abc import Mapping

ARGUMENTS = {
    "axes": "--axes",
    "channels": "--channel",
    "checkpoint": "--checkpoint",
    "precision": "--precision",
    "series": "--series",
    "step": "--step",
}
"""Arguments that sentences tell the user to give, and the options that they are here."""

_REPLACE = re.compile(r"\b([Rr]eplace it)(?=,)")

_GIVEN = re.compile(rf"\b({'|'.join(ARGUMENTS)})=(?:(['\"])(.*?)\2)?")


def with_options(sentence: object) -> str:
    """Return a sentence with ``--channel 0`` where it says ``channels=0``."""
    named = _GIVEN.sub(lambda found: f"{ARGUMENTS[found[1]]} {found[3] or ''}", str(sentence))
    return _REPLACE.sub(r"\1 (--replace)", named)


def with_settings(sentence: object, options: Mapping[str, str]) -> str:
    """Return a sentence on settings with the names of their options.

    Settings whose names are plain words are told by their place, at the beginning.

    Parameters
    ----------
    sentence : str or Exception
        Such as "pred_iou is 88; expected from 0 to 1."
    options : mapping
        Names of settings → names of options.
    """
    first, *others = str(sentence).split(" ")
    long = {name: option for name, option in options.items() if "_" in name}
    return " ".join([options.get(first, first), *(long.get(word, word) for word in others)])
