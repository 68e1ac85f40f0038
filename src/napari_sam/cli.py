"""The command ``napari-sam``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_sam import cli_embed, cli_models

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(cli_models.app, name="models")
app.command()(cli_embed.embed)


@app.callback()
def napari_sam() -> None:
    """Segment anything in images of any size, without a window."""


@app.command()
def train(
    images: Annotated[Path, typer.Argument(help="Folder of <source>.npz files of labeled images.")],
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
    images: Annotated[Path, typer.Argument(help="Folder of <source>.npz files of labeled images.")],
    model: Annotated[
        str | None, typer.Option(help="One of `napari-sam models`; by default nano.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file of weights, of any model.")
    ] = None,
    trained_on: Annotated[
        Path | None, typer.Option(help="Folder of the training images: what is in domain.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
) -> None:
    """Print the mean IoU of one click, a box and three clicks, for each source."""
    from napari_sam.model import load_model
    from napari_sam.train.evaluate import evaluate_planes, markdown_table
    from napari_sam.train.planes import read_folder

    network = load_model(model, checkpoint=checkpoint)
    results = {name: evaluate_planes(network, p) for name, p in read_folder(images).items()}
    known = {path.stem for path in trained_on.glob("*.npz")} if trained_on else set(results)
    typer.echo(markdown_table(results, known))
    if save:
        save.write_text(json.dumps(results, indent=2) + "\n")


def main() -> None:
    """Run the command line; what the user can mend is said in a sentence."""
    try:
        app()
    except (OSError, ValueError) as error:
        raise SystemExit(f"napari-sam: {error}") from error
