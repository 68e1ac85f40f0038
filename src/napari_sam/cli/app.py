"""The command ``napari-sam``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam.cli import embed, models, segment
from napari_sam.cli.options import Checkpoint, ModelName

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(models.app, name="models")
app.command()(embed.embed)
app.command()(segment.segment)


@app.callback()
def napari_sam() -> None:
    """Segment anything in images of any size, without a window."""


@app.command()
def train(
    images: Annotated[Path, typer.Argument(help="Folder of sources of labeled images.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run; one found there goes on.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the built-in model, and write its weights to RUN/nano.safetensors."""
    from napari_sam.train.export import export_weights
    from napari_sam.train.planes import read_folder
    from napari_sam.train.trainer import SAVE_EVERY, Trainer

    trainer = Trainer(read_folder(images), run, device=device)
    typer.echo(
        f"step {trainer.step} of {trainer.total_steps}; every {SAVE_EVERY} steps it is saved, and "
        f"gets a line in {run / 'log.csv'}"
    )
    try:
        trainer.run()
    except KeyboardInterrupt:
        typer.echo(
            f"Stopped. 'napari-sam train {images} {run}' goes on from what is saved.", err=True
        )
        raise typer.Exit(130) from None
    size = export_weights(trainer.checkpoint, run / "nano.safetensors")
    typer.echo(f"{run / 'nano.safetensors'}: {size / 1e6:.1f} MB")


@app.command()
def evaluate(
    images: Annotated[Path, typer.Argument(help="Folder of sources of labeled images.")],
    model: ModelName = None,
    checkpoint: Checkpoint = None,
    trained_on: Annotated[
        Path | None, typer.Option(help="Folder of the training images: what is in domain.")
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            help="How to find all objects: grid (slow), seeds, watershed, or several, with commas "
            "between them. By default all that the model can."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Planes of each source.")] = 10,
    objects: Annotated[int, typer.Option(min=1, help="Objects to click on each plane.")] = 20,
    save: Annotated[
        Path | None,
        typer.Option(help="Write tables, figures and pictures of objects into this folder."),
    ] = None,
) -> None:
    """Compare masks from clicks, from boxes and of all objects with the truth, for each source."""
    from napari_sam.model import load_model
    from napari_sam.train.contact_sheet import contact_sheet
    from napari_sam.train.evaluate import evaluate_source, parse_modes
    from napari_sam.train.files import find_sources
    from napari_sam.train.planes import read_planes
    from napari_sam.train.report import Report

    network = load_model(model, checkpoint=checkpoint)
    chosen = parse_modes(modes, network)
    known = {path.stem for path in find_sources(trained_on)} if trained_on else None
    report = Report(known)
    for path in find_sources(images):
        found = evaluate_source(network, read_planes(path), chosen, limit, objects)
        report.prompts[path.stem] = found.prompts
        report.automatic[path.stem] = found.automatic
        if found.examples:
            report.sheets[path.stem] = contact_sheet(found.examples)
        typer.echo(f"{path.stem}: done", err=True)
    typer.echo(report.markdown())
    if save:
        report.save(save)


def main() -> None:
    """Run the command line; what the user can mend is said in a sentence."""
    try:
        app()
    except (OSError, ValueError) as error:
        raise SystemExit(f"napari-sam: {error}") from error
