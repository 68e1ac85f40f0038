"""The command ``napari-sam segment``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_sam.cli.config import use_config

_Panel = Callable[..., Any]

_image: _Panel = partial(typer.Option, rich_help_panel="Image")
_model: _Panel = partial(typer.Option, rich_help_panel="Model")
_objects: _Panel = partial(typer.Option, rich_help_panel="Objects")
_maps: _Panel = partial(typer.Option, rich_help_panel="Objects of instance maps")
_stacks: _Panel = partial(typer.Option, rich_help_panel="Stacks")
_output: _Panel = partial(typer.Option, rich_help_panel="Output")
_running: _Panel = partial(typer.Option, rich_help_panel="How it runs")


def segment(
    context: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Zarrs, TIFFs, npy files; folders of them; patterns; URLs."),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        _output(
            "--out",
            "-o",
            help="Labels to write, such as cells.zarr. Another ending, as in cells.tif, is short "
            "for -o cells.zarr --export cells.tif. A name without one is a folder, for the labels "
            "of all images.",
        ),
    ] = None,
    export: Annotated[
        list[str] | None,
        _output(
            help="Also a file for other programs: .tif, .csv, .parquet, .geojson, .json (COCO), "
            ".sa1b.json or .zip (ImageJ) for one beside the labels, or a path. Several may be given"
        ),
    ] = None,
    pictures: Annotated[
        bool,
        _output(
            "--pictures", help="Also an overview with outlines, and histograms of size and score."
        ),
    ] = False,
    keep: Annotated[
        Path | None, _output(help="OME-Zarr labels; their objects stay as they are.")
    ] = None,
    resume: Annotated[
        bool,
        _output("--resume", help="Go on with what is unfinished, leave what is complete: default."),
    ] = False,
    replace: Annotated[bool, _output("--replace", help="Make outputs anew.")] = False,
    refuse: Annotated[bool, _output("--refuse", help="Stop if an output is there.")] = False,
    axes: Annotated[str | None, _image(help="Such as tczyx.")] = None,
    channel: Annotated[
        list[str] | None, _image(help="Number or name; three are red, green, blue.")
    ] = None,
    planes: Annotated[
        str | None,
        _image(help="A number or a range for each of t and z: 5, 0:10, 3,0:10. Else all."),
    ] = None,
    region: Annotated[
        str | None,
        _image(help="A box y0,x0,y1,x1 or a polygon y,x,y,x,y,x,… in pixels. Else everything."),
    ] = None,
    step: Annotated[
        float | None,
        _image(help="Pixels per sample: 2, 4, … for large objects. By default the finest."),
    ] = None,
    level: Annotated[
        int | None, _image(min=0, help="Of a pyramid: 0 is --step 1, 1 is --step 2, …")
    ] = None,
    model: Annotated[
        str | None, _model(help="One of `napari-sam models`; by default nano.")
    ] = None,
    checkpoint: Annotated[Path | None, _model(help="A file of weights, of any model.")] = None,
    device: Annotated[
        str, _model(help="cpu, cuda, …; the workers of a scheduler choose their own.")
    ] = "auto",
    mode: Annotated[
        str | None,
        _objects(help="grid, seeds or watershed. By default seeds if the model can, else grid."),
    ] = None,
    points_per_side: Annotated[
        int | None, _objects(help="Of the grid in a window; by default 32.")
    ] = None,
    pred_iou: Annotated[
        float | None,
        _objects(help="Least predicted IoU; by default what suits the model and the mode."),
    ] = None,
    stability: Annotated[
        float | None, _objects(help="Least stability score; the default as of --pred-iou.")
    ] = None,
    stability_offset: Annotated[
        float | None, _objects(help="Of the logits that it compares; by default 1.")
    ] = None,
    overlap: Annotated[
        float | None,
        _objects(
            help="Of two objects that overlap more, the better one stays. By default, an IoU of "
            "0.7 in a grid, else 0.5 of the smaller one."
        ),
    ] = None,
    min_area: Annotated[int | None, _objects(help="In pixels; by default 1.")] = None,
    max_area: Annotated[int | None, _objects(help="In pixels; by default any.")] = None,
    skip_covered: Annotated[
        bool | None,
        _objects(help="Leave out points of a grid that lie in objects already; by default yes."),
    ] = None,
    exact: Annotated[
        bool | None,
        _objects("--exact/--fast", help="A grid as SAM's own generator does it; by default fast."),
    ] = None,
    join_overlap: Annotated[
        float | None,
        _objects(help="IoU above which objects of neighboring tiles are one; by default 0.5."),
    ] = None,
    foreground: Annotated[
        float | None, _maps(help="Least probability of objects; by default 0.5.")
    ] = None,
    seed: Annotated[
        float | None, _maps(help="Least depth of a seed, lower for more; by default 0.5.")
    ] = None,
    smoothing: Annotated[
        float | None, _maps(help="By how many samples depths are blurred; by default 2.")
    ] = None,
    score: Annotated[
        float | None, _maps(help="How sure the maps are of an object; by default 0.65.")
    ] = None,
    link: Annotated[
        bool | None, _stacks(help="Join objects of neighboring planes; by default yes.")
    ] = None,
    link_axis: Annotated[str | None, _stacks(help="z or t; by default z.")] = None,
    link_overlap: Annotated[
        float | None,
        _stacks(help="Part of the smaller object that both share; by default 0.7."),
    ] = None,
    max_growth: Annotated[
        float | None,
        _stacks(help="One is so many times as large as the other at most; by default any."),
    ] = None,
    max_gap: Annotated[
        int | None, _stacks(help="Planes in which an object may be missing; by default 1.")
    ] = None,
    min_extent: Annotated[
        int | None, _stacks(help="Planes that an object must be in; by default 1.")
    ] = None,
    store: Annotated[
        Path | None,
        _running(
            help="Folder of `napari-sam embed`, to use and fill; of several images, with a "
            "folder for each."
        ),
    ] = None,
    scheduler: Annotated[
        str | None, _running(help="Of a dask cluster, such as tcp://10.0.0.1:8786.")
    ] = None,
    dry_run: Annotated[
        bool, _running("--dry-run", help="Only tell what it takes, by one tile, and all options.")
    ] = False,
    json: Annotated[bool, _running("--json", help="A summary for programs.")] = False,
    config: Annotated[
        Path | None,
        _running(
            is_eager=True,
            callback=use_config,
            help="Options from a TOML file, named as here: points-per-side = 16. Or labels that "
            "this command made, to repeat it. Options given here come first.",
        ),
    ] = None,
    save_config: Annotated[
        Path | None, _running(help="Write the options given into a TOML file.")
    ] = None,
) -> None:
    """Find all objects of images, stacks and series of any size, and write them as labels.

    Stopped or killed, the same command goes on. Exit code: 0 if all is well,
    1 if an image failed (others go on), 2 if options are wrong, 130 if stopped.
    """
    from napari_sam.cli.segment_images import segment_images

    segment_images(context)
