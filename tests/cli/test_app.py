"""The command line lists the models and explains itself."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import entry_points

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_sam import cli, list_models
from napari_sam.model import download, registry, weights
from napari_sam.model.download import Download
from napari_sam.model.registry import ModelSpec, WeightFile
from napari_sam.train.trainer import Trainer

from .segmenting import said


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A published model whose only file is at hand in `tmp_path`, not on a server."""
    content = b"not really weights"
    (tmp_path / "brought.bin").write_bytes(content)
    known_hash = f"sha256:{hashlib.sha256(content).hexdigest()}"
    file = WeightFile("tiny.pth", "http://127.0.0.1:9/tiny.pth", len(content), True, known_hash)
    spec = ModelSpec("tiny", "Nothing.", "vit_b", "MIT", (file,))
    monkeypatch.setattr(registry, "published", lambda: (spec,))
    monkeypatch.setattr(download, "WAITS_S", ())
    return spec


def run(*arguments, answer=None):
    return CliRunner().invoke(cli.app, ["models", *map(str, arguments)], input=answer)


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_models_are_listed_with_their_license(arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run(*arguments)
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert [line.split()[0] for line in lines] == [spec.name for spec in list_models()]
    assert all(spec.licence in line for spec, line in zip(list_models(), lines, strict=True))
    assert (
        len({line.index(spec.licence) for spec, line in zip(list_models(), lines, strict=True)})
        == 1
    )


def test_the_list_fits_into_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run().output.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line[0] != " "] == [m.name for m in list_models()]
    told = " ".join(line.strip() for line in lines if line[0] == " ")
    assert told == " ".join(spec.description for spec in list_models())


def test_models_are_listed_for_programs(tiny, tmp_path, models_folder):
    run("import", tmp_path / "brought.bin")
    nano, found = json.loads(run("list", "--json").output)
    assert (nano["name"], nano["state"], nano["urls"]) == ("nano", "built in", [])
    assert (found["name"], found["state"], found["licence"]) == ("tiny", "installed", "MIT")
    assert found["paths"] == [str(models_folder / "tiny.pth")]
    assert found["urls"] == [tiny.files[0].url]


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_fetching_shows_size_and_license_and_asks(tiny, models_folder, answer):
    result = run("fetch", "tiny", answer=answer)
    assert result.exit_code == 1
    for shown in ("0 MB", "MIT", tiny.files[0].url, str(models_folder), "Fetch it?"):
        assert shown in result.output
    assert not models_folder.exists()


def test_fetching(tiny, models_folder, monkeypatch):
    monkeypatch.setattr(Download, "run", lambda self: self.part.write_bytes(b"not really weights"))
    result = run("fetch", "tiny", "--yes")
    assert result.exit_code == 0
    assert result.output == f"tiny is installed: {models_folder / 'tiny.pth'}\n"  # and no bar
    assert run("fetch", "tiny").exit_code == 0  # there is nothing to ask


def test_fetching_without_a_network(tiny, monkeypatch):
    monkeypatch.setattr("sys.argv", ["napari-sam", "models", "fetch", "tiny", "--yes"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SystemExit, match=r"could not be fetched.*napari-sam models import"):
        cli.main()


def test_stopping_with_the_keyboard(tiny, models_folder, monkeypatch):
    def stop(self):
        self.part.write_bytes(b"not")
        raise KeyboardInterrupt

    monkeypatch.setattr(Download, "run", stop)
    result = run("fetch", "tiny", "--yes")
    assert result.exit_code == 130
    assert "'napari-sam models fetch tiny' goes on from here" in result.output
    assert [path.name for path in models_folder.iterdir()] == ["tiny.pth.part"]
    assert "partly downloaded" in run().output


def test_import_verify_and_remove(tiny, tmp_path, models_folder):
    assert "tiny: installed" in run("import", tmp_path / "brought.bin").output
    result = run("verify")
    assert result.exit_code == 0
    assert "tiny: tiny.pth agrees with the publisher's sha256" in result.output
    (models_folder / "tiny.pth").write_bytes(b"damaged")
    result = run("verify")
    assert result.exit_code == 1
    assert "nano: nano.safetensors comes with napari-sam" in result.output
    assert "tiny.pth was changed or damaged" in result.output
    assert run("remove", "tiny", answer="n\n").exit_code == 1
    assert (models_folder / "tiny.pth").exists()
    assert run("remove", "tiny", answer="y\n").exit_code == 0
    assert list(models_folder.iterdir()) == []


def test_import_of_a_checkpoint_tells_how_to_use_it(tmp_path, monkeypatch):
    spec = ModelSpec("my_cells", "Mine.", "vit_b", "?", (WeightFile("my_cells.pt", None, 9),))
    monkeypatch.setattr(weights, "import_file", lambda path, name: spec)
    (tmp_path / "my cells.pt").touch()
    assert "load_model('my_cells') loads it" in run("import", tmp_path / "my cells.pt").output


def test_training_can_be_stopped_with_the_keyboard(tmp_path, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    image = np.zeros((64, 64), np.uint8)
    image[20:40, 20:40] = 1
    np.savez(tmp_path / "squares.npz", image_000=image, label_000=image)
    monkeypatch.setattr(Trainer, "run", stop)
    result = CliRunner().invoke(cli.app, ["train", str(tmp_path), str(tmp_path / "run")])
    assert result.exit_code == 130
    assert f"napari-sam train {tmp_path} {tmp_path / 'run'}' goes on" in result.output


def test_import_of_a_folder(tiny, tmp_path):
    (tmp_path / "notes.txt").write_text("Notes.")
    result = run("import", tmp_path)
    assert result.exit_code == 0
    assert "tiny: installed" in result.output
    assert "Skipped: notes.txt" in result.output


def test_without_arguments_the_commands_are_named():
    assert "models" in CliRunner().invoke(cli.app, []).output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nothing-here"], "no .npz file"),
        (["evaluate", "nothing-here", "--model", "vit_b"], "vit_b is not installed"),
        (["evaluate", "nothing-here", "--model", "sam3"], "There is no model 'sam3'"),
        (["evaluate", "nothing-here", "--modes", "magic"], "There is no mode 'magic'"),
        (["train", "nothing-here", "run"], "no .npz file"),
        (["models", "fetch", "sam3"], "There is no model 'sam3'"),
        (["models", "remove", "sam3"], "There is no model 'sam3'"),
        (["models", "verify", "sam3"], "There is no model 'sam3'"),
        (["models", "import", "nothing-here"], "'nothing-here' does not exist"),
        (["models", "import", ".", "--name", "a"], "--name is for one file"),
    ],
)
def test_wrong_options_end_with_exit_code_2(monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2, result.output
    assert sentence in said(result.output)


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"]])
def test_exit_codes_are_in_the_help(arguments):
    assert "130 if stopped" in said(CliRunner().invoke(cli.app, arguments).output)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models", "fetch", "nano"], "nothing to fetch for nano: it comes with napari-sam"),
        (["models", "remove", "nano"], "comes with napari-sam"),
        (["models", "remove", "vit_b"], "nothing to remove"),
        (["models", "import", "."], "No file in . is one of a published model"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["napari-sam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert sentence in str(ended.value)  # of which Python makes exit code 1


def test_the_installed_command_is_this_one():
    (command,) = entry_points(group="console_scripts", name="napari-sam")
    assert command.load() is cli.main
