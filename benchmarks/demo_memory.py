"""Peak memory of the demo: of all its processes together, sampled while it runs.

Run from the repository::

    .venv/bin/python -m benchmarks.demo_memory
"""

from __future__ import annotations

import subprocess
import sys
import time

import psutil


def resident(process: psutil.Process) -> int:
    """Resident bytes of a process and of all that it started."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main(interval: float = 0.05) -> None:
    """Run the demo and print the peak."""
    started = time.perf_counter()
    demo = subprocess.Popen([sys.executable, "examples/demo.py"])
    process, peak = psutil.Process(demo.pid), 0
    while demo.poll() is None:
        try:
            peak = max(peak, resident(process))
        except psutil.NoSuchProcess:
            break
        time.sleep(interval)
    if demo.wait():
        raise SystemExit("The demo failed.")
    print(f"peak {peak / 1e9:.2f} GB in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
