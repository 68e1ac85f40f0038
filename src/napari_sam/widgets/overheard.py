"""Warnings that are given while a thread works, brought to whoever the thread works for."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]

_listeners: dict[int, Callable[[str], object]] = {}
"""By thread; Python shows the warnings of all threads by one and the same function."""
_lock = threading.Lock()
_show_elsewhere: Callable[..., Any] = warnings.showwarning


@contextmanager
def overhearing(tell: Callable[[str], object]) -> Iterator[None]:
    """Call `tell` with the sentence of each warning that this package gives in this thread.

    Those of other packages are no help to users: they go to the log. Those of other threads go
    where they always went.
    """
    global _show_elsewhere
    with _lock:
        _listeners[threading.get_ident()] = tell
        if warnings.showwarning is not _show:
            _show_elsewhere, warnings.showwarning = warnings.showwarning, _show
    try:
        yield
    finally:
        with _lock:
            del _listeners[threading.get_ident()]
            if not _listeners and warnings.showwarning is _show:
                warnings.showwarning = _show_elsewhere


def _show(
    message: Warning | str, category: type[Warning], filename: str, *place: Any, **options: Any
) -> None:
    tell = _listeners.get(threading.get_ident())
    if tell is None:
        _show_elsewhere(message, category, filename, *place, **options)
    elif Path(filename).is_relative_to(PACKAGE):
        tell(str(message))
    else:
        logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message)
