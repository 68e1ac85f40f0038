"""Where a store can be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam.embedding.store_metadata import create_store, has_store

from . import filling_store


def test_no_store_is_made_in_a_store(tmp_path: Path) -> None:
    create_store(tmp_path / "store", filling_store.KEY, "float16")
    (tmp_path / "store" / "deep").mkdir()
    for path in (tmp_path / "store" / "other", tmp_path / "store" / "deep" / "other"):
        with pytest.raises(FileExistsError, match=r"other would lie in .*store, which is the st"):
            create_store(path, filling_store.KEY, "float16")
        assert not has_store(path)


@pytest.mark.parametrize("content", ["{}", "[]", '{"attributes": null}', "no JSON"])
def test_a_folder_with_other_metadata_is_no_store(tmp_path: Path, content: str) -> None:
    (tmp_path / "zarr.json").write_text(content)
    create_store(tmp_path / "store", filling_store.KEY, "float16")
    assert has_store(tmp_path / "store")
