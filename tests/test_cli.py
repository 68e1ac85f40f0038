"""The command line lists the models and explains itself."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from typer.testing import CliRunner

from napari_sam import cli, list_models


def test_models_are_listed_with_their_license():
    result = CliRunner().invoke(cli.app, ["models"])
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert [line.split()[0] for line in lines] == [spec.name for spec in list_models()]
    assert all(spec.licence in line for spec, line in zip(list_models(), lines, strict=True))


def test_without_arguments_the_commands_are_named():
    assert "models" in CliRunner().invoke(cli.app, []).output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nothing-here"], "no .npz file"),
        (["evaluate", "nothing-here", "--model", "vit_b"], "vit_b is not installed"),
        (["evaluate", "nothing-here", "--model", "sam3"], "There is no model 'sam3'"),
        (["train", "nothing-here", "run"], "no .npz file"),
    ],
)
def test_mistakes_are_told_in_a_sentence(monkeypatch, arguments, sentence):
    monkeypatch.setattr("sys.argv", ["napari-sam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert sentence in str(ended.value)


def test_the_installed_command_is_this_one():
    (command,) = entry_points(group="console_scripts", name="napari-sam")
    assert command.load() is cli.main
