"""The first import of torch, for which the window need not stand still."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = ("libtorch_global_deps.so", "libtorch_python.so")
"""What torch loads first, in this order; the first one for all others to see."""


def import_torch() -> None:
    """Import torch in a thread, while others go on.

    Python lets no other thread run while it loads the libraries of an extension, 0.2 s for those of
    torch. So on Linux they are loaded before, by a call of the system's own loader, during which
    the others run. If that fails, the import tells why.
    """
    if sys.platform == "linux" and "torch" not in sys.modules:
        load_libraries()
    import torch  # noqa: F401


def load_libraries() -> bool:
    """Load the libraries of torch, without the module; tells whether all of them are there now."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    folder, (shared, own) = Path(spec.origin).parent / "lib", LIBRARIES
    return bool(
        load(os.fsencode(folder / shared), os.RTLD_NOW | os.RTLD_GLOBAL)
        and load(os.fsencode(folder / own), os.RTLD_NOW)
    )
