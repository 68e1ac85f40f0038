"""How long ``import napari_sam`` takes in a fresh interpreter. The limit is 0.3 s."""

from __future__ import annotations

import subprocess
import sys
import time


def start_time(code: str) -> float:
    """Seconds that a fresh interpreter takes to run `code` and exit."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main(repeats: int = 10) -> None:
    """Print the best of `repeats` runs, less the start of the interpreter itself."""
    bare = min(start_time("pass") for _ in range(repeats))
    full = min(start_time("import napari_sam") for _ in range(repeats))
    print(f"import napari_sam: {full - bare:.3f} s more than the {bare:.3f} s of a bare start")


if __name__ == "__main__":
    main()
