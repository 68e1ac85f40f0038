"""The command ``napari-sam segment``."""

from __future__ import annotations

import typer

from napari_sam.cli import segment_options as options


def segment(
    context: typer.Context,
    images: options.Images = None,
    *,
    out: options.Out = None,
    export: options.Export = None,
    pictures: options.Pictures = False,
    keep: options.Keep = None,
    resume: options.Resume = False,
    replace: options.Replace = False,
    refuse: options.Refuse = False,
    axes: options.Axes = None,
    series: options.Series = None,
    channel: options.Channel = None,
    planes: options.Planes = None,
    region: options.Region = None,
    step: options.Step = None,
    level: options.Level = None,
    model: options.Model = None,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    mode: options.Mode = None,
    points_per_side: options.PointsPerSide = None,
    pred_iou: options.PredIou = None,
    stability: options.Stability = None,
    stability_offset: options.StabilityOffset = None,
    overlap: options.Overlap = None,
    min_area: options.MinArea = None,
    max_area: options.MaxArea = None,
    skip_covered: options.SkipCovered = None,
    skip_background: options.SkipBackground = None,
    exact: options.Exact = None,
    join_overlap: options.JoinOverlap = None,
    foreground: options.Foreground = None,
    seed: options.Seed = None,
    smoothing: options.Smoothing = None,
    score: options.Score = None,
    link: options.Link = None,
    link_axis: options.LinkAxis = None,
    link_overlap: options.LinkOverlap = None,
    max_growth: options.MaxGrowth = None,
    max_gap: options.MaxGap = None,
    min_extent: options.MinExtent = None,
    store: options.Store = None,
    scheduler: options.Scheduler = None,
    dry_run: options.DryRun = False,
    json: options.AsJson = False,
    config: options.Config = None,
    save_config: options.SaveConfig = None,
) -> None:
    """Find all objects of images, stacks and series of any size, and write them as labels.

    Stopped or killed, the same command goes on. Exit code: 0 if all is well,
    1 if an image failed (others go on), 2 if options are wrong, 130 if stopped.
    """
    from napari_sam.cli.segment_images import segment_images

    segment_images(context)
