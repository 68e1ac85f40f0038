"""Memory that is freed stays with the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from napari_sam.model.working_memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def fill(n_times):
    for _ in range(n_times):
        torch.empty(16 << 20, dtype=torch.uint8).fill_(1)

keep_freed_memory()
fill(10)
before = faults()
fill(20)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the C library of Linux")
@pytest.mark.parametrize("environment", [{}, {"MALLOC_TRIM_THRESHOLD_": "65536"}])
def test_in_workers_of_dask_too(environment: dict[str, str]) -> None:
    """Dask sets this variable for its workers."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    pages = (16 << 20) // 4096
    assert int(done.stdout) < 10 * pages, "all of them anew would be 20 times as many"
