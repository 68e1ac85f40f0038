"""The options of ``napari-sam segment``, in the panels of its help."""

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

Images = Annotated[
    list[str] | None,
    typer.Argument(help="Zarrs, TIFFs, npy files; folders of them; patterns; URLs."),
]

Out = Annotated[
    Path | None,
    _output(
        "--out",
        "-o",
        help="Labels to write, such as cells.zarr. Another ending, as in cells.tif, is short "
        "for -o cells.zarr --export cells.tif. A name without one is a folder, for the labels "
        "of all images.",
    ),
]

Export = Annotated[
    list[str] | None,
    _output(
        help="Also a file for other programs: .tif, .csv, .parquet, .geojson, .json (COCO), "
        ".sa1b.json or .zip (ImageJ) for one beside the labels, or a path. Several may be given"
    ),
]

Pictures = Annotated[
    bool,
    _output("--pictures", help="Also an overview with outlines, and histograms of size and score."),
]

Keep = Annotated[Path | None, _output(help="OME-Zarr labels; their objects stay as they are.")]

Resume = Annotated[
    bool,
    _output("--resume", help="Go on with what is unfinished, leave what is complete: default."),
]

Replace = Annotated[bool, _output("--replace", help="Make outputs anew.")]

Refuse = Annotated[bool, _output("--refuse", help="Stop if an output is there.")]

Axes = Annotated[str | None, _image(help="Such as tczyx.")]

Series = Annotated[
    int | None, _image(min=0, help="Of a file of several images: which one; by default 0.")
]

Channel = Annotated[
    list[str] | None,
    _image(help="Number or name; three are red, green, blue; max is the maximum over all."),
]

Planes = Annotated[
    str | None,
    _image(help="A number or a range for each of t and z: 5, 0:10, 3,0:10. Else all."),
]

Region = Annotated[
    str | None,
    _image(help="A box y0,x0,y1,x1 or a polygon y,x,y,x,y,x,… in pixels. Else everything."),
]

Step = Annotated[
    float | None,
    _image(
        help="Pixels per sample: 2, 4, … for large objects, in labels of the same size. By "
        "default the finest."
    ),
]

Level = Annotated[
    int | None,
    _image(
        min=0,
        help="Of a pyramid: this level of the file is the image. Labels are as large as it, and "
        "all pixels are its. By default 0, the finest.",
    ),
]

Model = Annotated[str | None, _model(help="One of `napari-sam models`; by default nano.")]

Checkpoint = Annotated[Path | None, _model(help="A file of weights, of any model.")]

Device = Annotated[str, _model(help="cpu, cuda, …; the workers of a scheduler choose their own.")]

Precision = Annotated[
    str, _model(help="Of the image encoder: auto, float32, or bfloat16, which is faster on some.")
]

Mode = Annotated[
    str | None,
    _objects(help="grid, seeds or watershed. By default seeds if the model can, else grid."),
]

PointsPerSide = Annotated[int | None, _objects(help="Of the grid in a window; by default 32.")]

PredIou = Annotated[
    float | None,
    _objects(help="Least predicted IoU; by default what suits the model and the mode."),
]

Stability = Annotated[
    float | None, _objects(help="Least stability score; the default as of --pred-iou.")
]

StabilityOffset = Annotated[
    float | None, _objects(help="Of the logits that it compares; by default 1.")
]

Overlap = Annotated[
    float | None,
    _objects(
        help="Of two objects that share a larger part of the smaller one, the better one stays; "
        "by default 0.5. Not of --exact, where boxes share 0.7 (IoU) at most."
    ),
]

MinArea = Annotated[int | None, _objects(help="In pixels; by default 1.")]

MaxArea = Annotated[int | None, _objects(help="In pixels; by default any.")]

SkipCovered = Annotated[
    bool | None,
    _objects(help="Leave out points of a grid that lie in objects already; by default yes."),
]

SkipBackground = Annotated[
    bool | None,
    _objects(help="Leave out points of a grid where instance maps show nothing; by default yes."),
]

Exact = Annotated[
    bool | None,
    _objects(
        "--exact/--fast",
        help="Look at each plane as a whole, and find the masks of SAM's own generator by a grid; "
        "smaller ones lie on top. By default fast, tile by tile.",
    ),
]

JoinOverlap = Annotated[
    float | None,
    _objects(help="IoU above which objects of neighboring tiles are one; by default 0.5."),
]

Foreground = Annotated[float | None, _maps(help="Least probability of objects; by default 0.5.")]

Seed = Annotated[float | None, _maps(help="Least depth of a seed, lower for more; by default 0.5.")]

Smoothing = Annotated[
    float | None, _maps(help="By how many samples depths are blurred; by default 2.")
]

Score = Annotated[float | None, _maps(help="How sure the maps are of an object; by default 0.65.")]

Link = Annotated[bool | None, _stacks(help="Join objects of neighboring planes; by default yes.")]

LinkAxis = Annotated[str | None, _stacks(help="z or t; by default z.")]

LinkOverlap = Annotated[
    float | None,
    _stacks(help="Part of the smaller object that both share; by default 0.6."),
]

MaxGrowth = Annotated[
    float | None,
    _stacks(help="One is so many times as large as the other at most; by default any."),
]

MaxGap = Annotated[
    int | None, _stacks(help="Planes in which an object may be missing; by default 1.")
]

MinExtent = Annotated[int | None, _stacks(help="Planes that an object must be in; by default 1.")]

Store = Annotated[
    Path | None,
    _running(
        help="Folder of `napari-sam embed`, to use and fill; of several images, with a "
        "folder for each."
    ),
]

Scheduler = Annotated[str | None, _running(help="Of a dask cluster, such as tcp://10.0.0.1:8786.")]

DryRun = Annotated[
    bool, _running("--dry-run", help="Only tell what it takes, by two tiles, and all options.")
]

AsJson = Annotated[bool, _running("--json", help="A summary for programs.")]

Config = Annotated[
    Path | None,
    _running(
        is_eager=True,
        callback=use_config,
        help="Options from a TOML file, named as here: points-per-side = 16. Or labels that "
        "this command made, to repeat it. Options given here come first.",
    ),
]

SaveConfig = Annotated[Path | None, _running(help="Write the options given into a TOML file.")]
