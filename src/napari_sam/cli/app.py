"""The command ``napari-sam``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam.cli import embed, evaluate, models, segment
from napari_sam.cli.mistakes import told_as_mistakes
from napari_sam.cli.wording import with_options

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(models.app, name="models")
app.command()(embed.embed)
app.command()(segment.segment)
app.command()(evaluate.evaluate)


@app.callback()
def napari_sam() -> None:
    """Segment anything in images of any size, without a window.

    Exit code of all commands: 0 if all is well, 1 if something could not be done,
    2 if options are wrong, 130 if stopped.
    """


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

    with told_as_mistakes():
        labeled = read_folder(images)
    trainer = Trainer(labeled, run, device=device)
    if trainer.rank > 0:  # the first of several processes tells, and writes the weights
        trainer.run()
        return
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


def main() -> None:
    """Run the command line; what the user can mend is said in a sentence."""
    try:
        app()
    except (OSError, ValueError) as error:
        raise SystemExit(f"napari-sam: {with_options(error)}") from error
