"""``napari-sam evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam.cli.mistakes import told_as_mistakes
from napari_sam.cli.options import Checkpoint, ModelName


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
            "between them. By default seeds and watershed, or the grid for a model without "
            "instance maps."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Planes of each source.")] = 10,
    objects: Annotated[int, typer.Option(min=1, help="Objects to click on each plane.")] = 20,
    scales: Annotated[
        bool, typer.Option("--scales", help="Also scale objects to 8 … 300 px.")
    ] = False,
    recordings: Annotated[
        bool,
        typer.Option(
            "--recordings", help="Also try other bit depths, inverted images and hot pixels."
        ),
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Also count what is found where there is nothing.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="Write tables, figures and pictures of objects into this folder."),
    ] = None,
) -> None:
    """Compare masks from clicks, from boxes and of all objects with the truth, for each source."""
    from napari_sam.model import load_model
    from napari_sam.train.contact_sheet import contact_sheet
    from napari_sam.train.empty_tiles import evaluate_empty
    from napari_sam.train.evaluate import evaluate_source, parse_modes
    from napari_sam.train.files import find_sources
    from napari_sam.train.planes import read_planes
    from napari_sam.train.recordings import evaluate_recordings
    from napari_sam.train.report import Report
    from napari_sam.train.scales import evaluate_scales

    with told_as_mistakes():
        network = load_model(model, checkpoint=checkpoint)
        chosen = parse_modes(modes, network)
        known = {path.stem for path in find_sources(trained_on)} if trained_on else None
        sources = find_sources(images)
    report = Report(known)
    for path in sources:
        planes = read_planes(path)
        found = evaluate_source(network, planes, chosen, limit, objects)
        report.prompts[path.stem] = found.prompts
        report.automatic[path.stem] = found.automatic
        if found.examples:
            report.sheets[path.stem] = contact_sheet(found.examples)
        if scales and (scaled := evaluate_scales(network, planes)):
            report.scales[path.stem] = scaled
        if recordings and (recorded := evaluate_recordings(network, planes)):
            report.recordings[path.stem] = recorded
        typer.echo(f"{path.stem}: done", err=True)
    if empty:
        report.empty = evaluate_empty(network)
    typer.echo(report.markdown())
    if save:
        report.save(save)
