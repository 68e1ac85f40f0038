from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest
import torch

from napari_sam.model import registry
from napari_sam.model.check import check
from napari_sam.model.load import load_model
from napari_sam.model.record import converted_folder, weights_folder
from napari_sam.model.registry import ModelSpec, WeightFile, built_in_weights, find_model
from napari_sam.model.weights import import_file, import_folder, remove, verify

CONTENT = random.Random(0).randbytes(10_000)
OTHER = random.Random(1).randbytes(20_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(OTHER, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """The only published model, called "tiny"; of its second file only the MD5 is known."""
    url = "https://example.org/"
    weights = WeightFile("tiny.pth", f"{url}1", len(CONTENT), True, f"sha256:{SHA256}")
    decoder = WeightFile("tiny_decoder.pt", f"{url}2", 19_000, False, f"md5:{MD5}")
    spec = ModelSpec("tiny", "Nothing.", "vit_b", "MIT", (weights, decoder))
    monkeypatch.setattr(registry, "published", lambda: (spec,))
    return spec


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    """A folder of files that somebody brought along."""
    folder = tmp_path / "offered"
    folder.mkdir()
    return folder


@pytest.fixture
def own(offered: Path) -> Path:
    """A checkpoint of the user's own, which happens to be nano."""
    return Path(shutil.copyfile(built_in_weights("nano"), offered / "My cells v2.safetensors"))


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def record_of(path: Path) -> dict[str, object]:
    return json.loads(path.with_name(f"{path.name}.json").read_text())


def test_folder_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models_folder: Path
) -> None:
    assert weights_folder() == models_folder
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NAPARI_SAM_MODELS", "~/here")
    assert weights_folder() == Path("~/here").expanduser()
    monkeypatch.delenv("NAPARI_SAM_MODELS")
    assert weights_folder().parts[-2:] == ("napari-sam", "models")
    assert not models_folder.exists()


def test_published_file_is_recognized_under_any_name(
    tiny: ModelSpec, offered: Path, models_folder: Path
) -> None:
    assert import_file(write(offered / "a.bin", CONTENT)) == tiny
    assert find_model("tiny").state == "installed, but not its instance decoder"
    assert import_file(write(offered / "b.bin", OTHER), "tiny") == tiny
    assert find_model("tiny").state == "installed"
    assert "agrees with the publisher's sha256" in verify("tiny")
    assert "agrees with the publisher's md5" in verify("tiny")
    assert tiny.weights is not None
    assert tiny.instance_decoder is not None
    assert (tiny.weights.read_bytes(), tiny.instance_decoder.read_bytes()) == (CONTENT, OTHER)
    assert record_of(tiny.weights)["checked"] == "publisher's sha256"
    assert record_of(tiny.instance_decoder)["checked"] == "publisher's md5"
    assert {record_of(path)["url"] for path in tiny.paths or ()} == {"imported"}
    assert len(left(models_folder)) == 4


def test_published_file_keeps_its_name(offered: Path, models_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.bin is the published tiny; leave the name away"):
        import_file(write(offered / "a.bin", CONTENT), "mine")
    assert not models_folder.exists()


def test_damaged_published_file_is_refused(offered: Path, models_folder: Path) -> None:
    path = write(offered / "tiny.pth", CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"not the published file: .*{SHA256}.*9,999 bytes"):
        import_file(path)
    assert not models_folder.exists()


def test_model_of_ones_own(own: Path, models_folder: Path) -> None:
    spec = import_file(own)
    assert (spec.name, spec.architecture, spec.state) == ("my_cells_v2", "nano", "installed")
    assert spec.is_custom
    assert find_model("my_cells_v2") == spec == registry.list_models()[-1]
    assert str(own) in spec.description
    assert spec.weights == models_folder / "my_cells_v2.safetensors"
    assert spec.conversion == "percentiles"
    assert record_of(spec.weights)["checked"] == "first use"
    assert "is what it was at first use" in verify("my_cells_v2")
    own.unlink()
    model = load_model("my_cells_v2", device="cpu")
    assert torch.equal(
        model.state_dict()["mask_decoder.frequencies"],
        load_model("nano", device="cpu").state_dict()["mask_decoder.frequencies"],
    )


def test_checkpoint_of_micro_sam_wants_its_conversion(offered: Path) -> None:
    weights = load_model("nano", device="cpu").state_dict()
    torch.save({"model_state": weights}, offered / "best.pt")
    spec = import_file(offered / "best.pt")
    assert (spec.name, spec.conversion) == ("best", "min-max")
    assert spec.weights is not None
    assert spec.weights.name == "best.pt"


def test_model_with_a_name(own: Path) -> None:
    assert import_file(own, "ours-2").name == "ours-2"
    assert import_file(own, "a").name == "a"
    assert [spec.name for spec in registry.custom()] == ["a", "ours-2"]


@pytest.mark.parametrize("name", ["", "Big", "a b", "../x", "-a", "a" * 65, "a/b", "a.b", "ä"])
def test_name_that_cannot_be(own: Path, models_folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a model"):
        import_file(own, name)
    assert not models_folder.exists()


@pytest.mark.parametrize("name", ["nano", "tiny", "mine"])
def test_name_that_is_taken(own: Path, name: str) -> None:
    import_file(own, "mine")
    with pytest.raises(ValueError, match=f"There is a model '{name}' already"):
        import_file(own, name)


def test_name_that_is_a_file_of_another(own: Path, models_folder: Path) -> None:
    write(models_folder / "mine.safetensors", b"mine")
    with pytest.raises(ValueError, match="is the name of another file"):
        import_file(own, "mine")
    assert left(models_folder) == ["mine.safetensors"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"image_encoder.trunk.a": torch.ones(1)}, "SAM 2"),
        ({"a": torch.ones(1)}, "holds no Segment Anything model"),
        (
            {"mask_decoder.frequencies": torch.ones(1), "instance_head.out.weight": torch.ones(1)},
            "missing",
        ),
    ],
)
def test_what_is_no_model_is_refused(
    offered: Path, models_folder: Path, content: dict[str, torch.Tensor], sentence: str
) -> None:
    torch.save(content, offered / "other.pth")
    with pytest.raises(ValueError, match=rf"other\.pth.*{sentence}"):
        import_file(offered / "other.pth")
    assert not models_folder.exists()


def test_text_is_no_model(offered: Path, models_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"text\.pth"):
        import_file(write(offered / "text.pth", b"This is no checkpoint."))
    assert not models_folder.exists()


def test_file_that_is_not_there(offered: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.pth"):
        import_file(offered / "nowhere.pth")
    with pytest.raises(FileNotFoundError, match="no file"):
        import_file(offered)


def test_folder_of_files(tiny: ModelSpec, offered: Path, own: Path) -> None:
    write(offered / "tiny", CONTENT)
    write(offered / "tiny_decoder", OTHER)
    write(offered / "tiny.pth", CONTENT[1:])
    (offered / "folder").mkdir()
    skipped: list[str] = []
    assert import_folder(offered, on_skip=skipped.append) == [tiny]
    assert tiny.installed
    assert len(skipped) == 2
    assert "My cells v2.safetensors is no published file" in skipped[0]
    assert f"{offered / 'tiny.pth'} is not the published file: expected sha256" in skipped[1]


def test_folder_that_is_not_there(offered: Path) -> None:
    with pytest.raises(NotADirectoryError, match="no folder"):
        import_folder(offered / "nowhere")
    assert import_folder(offered) == []


def test_full_disk_leaves_nothing(own: Path, models_folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files on POSIX only")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match="could not be copied to"):
            import_file(own, "mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(models_folder) == []
    assert registry.custom() == []


def test_disk_that_is_full_when_the_copy_is_done(
    own: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> Path:
        if target.suffix == ".safetensors":
            raise OSError(28, "No space left on device")
        os.replace(self, target)
        return target

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match=r"could not be copied to .*No space left"):
        import_file(own, "mine")
    assert left(models_folder) == []


def test_folder_of_weights_that_cannot_be_made(own: Path, models_folder: Path) -> None:
    models_folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"models can't be written.*NAPARI_SAM_MODELS"):
        import_file(own)


def test_files_used_in_place(tiny: ModelSpec, models_folder: Path) -> None:
    """Files that lie in the folder of weights count as installed; their hash is recorded."""
    path = write(models_folder / "tiny.pth", CONTENT)
    write(models_folder / "tiny_decoder.pt", OTHER)
    assert tiny.installed
    assert check(path) == SHA256
    assert record_of(path)["checked"] == "publisher's sha256"
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ValueError, match=f"changed or damaged .*expected SHA-256 {SHA256}, found"):
        check(path)


def test_files_used_in_place_read_only(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    path = write(models_folder / "tiny.pth", CONTENT)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert check(path) == SHA256
    assert left(models_folder) == ["tiny.pth"]
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ValueError, match="not the published file"):
        check(path)


def test_file_elsewhere_is_only_hashed(offered: Path) -> None:
    path = write(offered / "tiny.pth", OTHER)
    assert check(path) == hashlib.sha256(OTHER).hexdigest()
    assert left(offered) == ["tiny.pth"]


@pytest.mark.parametrize("record", ["", "{}", "[]", "[1]", '{"sha256": 1}', "no json", "\x00"])
def test_damaged_record_is_told(own: Path, record: str) -> None:
    path = import_file(own, "mine").files[0].target
    path.with_name(f"{path.name}.json").write_text(record)
    with pytest.raises(ValueError, match=r"record .*mine\.safetensors\.json is damaged"):
        check(path)
    assert registry.custom() == []


@pytest.mark.parametrize("model", [[], "mine", {"name": "mine"}, 1])
def test_damaged_description_of_a_model(own: Path, model: object) -> None:
    path = import_file(own, "mine").files[0].target
    path.with_name(f"{path.name}.json").write_text(json.dumps({**record_of(path), "model": model}))
    assert registry.custom() == []


def test_verify_tells_damage(own: Path) -> None:
    assert "comes with napari-sam; nobody publishes its hash (SHA-256" in verify("nano")
    with pytest.raises(ValueError, match="tiny is not installed"):
        verify("tiny")
    path = import_file(own, "mine").files[0].target
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="changed or damaged since it was installed"):
        verify("mine")


def test_loading_tells_damage(own: Path) -> None:
    path = import_file(own, "mine").files[0].target
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="changed or damaged since it was installed"):
        load_model("mine", device="cpu")


def test_remove_frees_everything(tiny: ModelSpec, offered: Path, models_folder: Path) -> None:
    import_file(write(offered / "a", CONTENT))
    write(models_folder / "tiny_decoder.pt.part", b"123")
    write(models_folder / "tiny_decoder.pt.part.json", b"{}")
    write(models_folder / f"tiny.pth.{32 * 'a'}.tmp", b"half a copy")
    write(models_folder / "tiny.pth.mine", b"the user's")
    form = converted_folder(SHA256) / "1.0"
    form.mkdir(parents=True)
    write(form / "encoder.bin", bytes(500))
    assert remove("tiny") >= 10_505
    assert left(models_folder) == ["openvino", "tiny.pth.mine"]
    assert list((models_folder / "openvino").iterdir()) == []
    assert tiny.state == "not installed"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nano", "comes with napari-sam"),
        ("tiny", "nothing to remove"),
        ("sam3", "There is no model 'sam3'"),
    ],
)
def test_what_cannot_be_removed(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        remove(name)


def test_file_that_cannot_be_removed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    import_file(own, "mine")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(OSError, match=r"mine\.safetensors can't be removed: Read-only"):
            remove("mine")
    assert find_model("mine").installed


def test_own_model_is_gone_after_removal(own: Path) -> None:
    import_file(own, "mine")
    remove("mine")
    with pytest.raises(ValueError, match="There is no model 'mine'"):
        find_model("mine")
