"""The commands ``napari-sam models …``."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from napari_sam.cli.mistakes import told_as_mistakes
from napari_sam.model import ModelSpec, list_models
from napari_sam.model.registry import find_model

app = typer.Typer(add_completion=False)

NO_TERMINAL = 1 << 16
"""Columns of what is read by programs."""

Name = Annotated[str, typer.Argument(help="One of the names that `napari-sam models` lists.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the models, fetch their weights, import your own."""
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the models: name, whether it is here, size, licence, what it is good at."""
    specs = list_models()
    if as_json:
        typer.echo(json.dumps([as_dict(spec) for spec in specs], indent=2))
        return
    width = shutil.get_terminal_size(fallback=(NO_TERMINAL, 0)).columns
    typer.echo("\n".join(table(specs, width)))


def table(specs: list[ModelSpec], width: int) -> Iterator[str]:
    """Yield the lines of a list; what models are good at stands below if there is no room."""
    cells = [
        (spec.name, spec.state, f"{spec.size_bytes / 1e6:,.0f} MB", spec.licence) for spec in specs
    ]
    name, state, size, licence = (max(map(len, column)) for column in zip(*cells, strict=True))
    heads = [f"{a:<{name}}  {b:<{state}}  {c:>{size}}  {d:<{licence}}" for a, b, c, d in cells]
    texts = [spec.description for spec in specs]
    is_narrow = len(heads[0]) + 2 + max(map(len, texts)) > width
    for head, text in zip(heads, texts, strict=True):
        if is_narrow:
            yield head.rstrip()
            yield textwrap.fill(text, width, initial_indent="    ", subsequent_indent="    ")
        else:
            yield f"{head}  {text}"


def as_dict(spec: ModelSpec) -> dict[str, object]:
    """Return what `list --json` tells about a model."""
    return {
        "name": spec.name,
        "description": spec.description,
        "architecture": spec.architecture,
        "licence": spec.licence,
        "size_bytes": spec.size_bytes,
        "state": spec.state,
        "installed": spec.installed,
        "paths": [str(path) for path in spec.paths or ()],
        "urls": [file.url for file in spec.files if file.url],
    }


@app.command()
def fetch(name: Name, yes: Yes = False) -> None:
    """Download the weights of a model; goes on where an earlier download stopped."""
    from tqdm import tqdm

    from napari_sam.model.fetch import fetch as fetch_weights
    from napari_sam.model.weights import weights_folder

    spec = known_model(name)
    if not (spec.is_complete or yes):
        typer.echo(f"{spec.name}: {spec.description}")
        typer.echo(f"size     {spec.size_bytes / 1e6:,.0f} MB ({spec.state})")
        typer.echo(f"licence  {spec.licence}")
        for file in spec.files:
            typer.echo(f"from     {file.url}")
        typer.echo(f"to       {weights_folder()}")
        typer.confirm("Fetch it?", abort=True)
    try:
        with tqdm(
            total=spec.size_bytes,
            unit="B",
            unit_scale=True,
            desc=name,
            leave=False,
            disable=None,  # unless somebody looks
        ) as bar:

            def show(here: int, whole: int | None) -> None:
                bar.total = whole
                bar.update(here - bar.n)

            paths = fetch_weights(name, progress=show)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. 'napari-sam models fetch {name}' goes on from here.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{name} is installed: {' and '.join(str(path) for path in paths)}")


def known_model(name: str) -> ModelSpec:
    """Return the model of that name; that there is none is a mistake in options."""
    with told_as_mistakes():
        return find_model(name)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="By default all that are here.")] = None,
) -> None:
    """Check that weights are what they were, and what their publishers describe."""
    from napari_sam.model.weights import verify as verify_weights

    wrong = False
    here = [spec for spec in list_models() if spec.installed]
    for spec in [known_model(name) for name in names] if names else here:
        try:
            typer.echo(verify_weights(spec.name))
        except (OSError, ValueError) as error:
            typer.echo(str(error), err=True)
            wrong = True
    if wrong:
        raise typer.Exit(1)


@app.command()
def remove(name: Name, yes: Yes = False) -> None:
    """Remove the weights of a model from this machine."""
    from napari_sam.model.weights import remove as remove_weights

    spec = known_model(name)
    if spec.present_bytes and not (spec.built_in or yes):
        again = "It can't be fetched again" if spec.is_custom else "It can be fetched again"
        typer.confirm(f"{again}. Remove {name} ({spec.present_bytes / 1e6:,.0f} MB)?", abort=True)
    typer.echo(f"{name} is removed: {remove_weights(name) / 1e6:,.0f} MB are free again.")


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(exists=True, help="A file of weights, or a folder of them.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call a model of your own; else after its file.")
    ] = None,
) -> None:
    """Install weights that are on this machine: published ones, or your own."""
    from napari_sam.model.weights import import_file, import_folder

    if path.is_dir():
        if name is not None:
            raise typer.BadParameter(f"{path} is a folder; --name is for one file.")
        specs = import_folder(path, on_skip=lambda why: typer.echo(why, err=True))
        if not specs:
            raise ValueError(f"No file in {path} is one of a published model.")
    else:
        specs = [import_file(path, name)]
    for spec in specs:
        missing = [str(file.url) for file in spec.files if not file.target.is_file()]
        rest = f"; still missing: {' and '.join(missing)}" if missing else ""
        use = f"; load_model({spec.name!r}) loads it" if spec.is_custom else ""
        typer.echo(f"{spec.name}: {spec.state}{rest}{use}")
