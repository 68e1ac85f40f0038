"""`napari-sam segment` uses and fills stores of tiles, one for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from .segmenting import labels, names, run


@pytest.fixture
def plate(discs: NDArray[np.uint8]) -> None:
    Path("plate").mkdir()
    np.save("plate/a.npy", discs)
    np.save("plate/b.npy", discs[::-1])


@pytest.mark.usefixtures("plate")
def test_several_images_have_stores_in_one_folder() -> None:
    assert run("plate", "-o", "out", "--store", "stores", "--dry-run").exit_code == 0
    assert names() == ["discs.npy", "plate"]
    assert run("plate", "-o", "out", "--store", "stores").exit_code == 0
    assert names("stores") == ["a", "b"]
    assert labels("out/a.zarr").any()
    far = run("plate", "-o", "more", "--store", "none/stores")
    assert (far.exit_code, names()) == (2, ["discs.npy", "out", "plate", "stores"])


@pytest.mark.usefixtures("plate")
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_the_store_of_one_image_holds_none_of_others(dry: list[str]) -> None:
    assert run("plate/a.npy", "-o", "a.zarr", "--store", "tiles").exit_code == 0
    before = names("tiles")
    result = run("plate", "-o", "out", "--store", "tiles", *dry)
    assert result.exit_code == 1
    for name in "ab":
        assert f"plate/{name}.npy: The store {name} would lie in {Path.cwd()}/tiles, which is" in (
            result.stderr
        )
    assert names("tiles") == before
