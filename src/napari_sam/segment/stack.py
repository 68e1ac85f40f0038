"""All objects of planes and stacks of any size, in passes that can be stopped at any moment."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.embedding.selection import Selection
from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.ids import LabelIds
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.segment.exact import check_exact
from napari_sam.segment.find import find_tile
from napari_sam.segment.join import join_plane
from napari_sam.segment.match import match_tile
from napari_sam.segment.objects import save_objects
from napari_sam.segment.output import Existing, begin, check_out, finish, is_complete, open_output
from napari_sam.segment.record import describe_run
from napari_sam.segment.region import Region
from napari_sam.segment.run import Run
from napari_sam.segment.run_folder import Part, RunFolder
from napari_sam.segment.settings import SegmentSettings
from napari_sam.segment.stacks import count_shared, iter_blocks, link_stack, place_stacks, stacks
from napari_sam.segment.tasks import Task, iter_tasks
from napari_sam.segment.threads import MAX_THREADS, default_finders, n_cores, one_core
from napari_sam.segment.write import (
    iter_coarse,
    iter_unwritten,
    make_labels,
    write_coarse,
    write_region,
)

if TYPE_CHECKING:
    from distributed import Client

Stage = Literal["find", "match", "join", "compare", "link", "write", "reduce"]
"""Find objects in tiles, match those of neighboring tiles, join them to objects of planes, count
pixels that are left and shared by planes, link objects, write labels, and reduce them to coarser
levels."""

PARTS_PER_TASK: dict[Stage, int] = {"match": 16}
"""Sent to a worker at a time; of the others, one."""

SMALL_SAMPLES = 128
"""Where a whole plane has fewer samples, a larger step shows no more."""

MAX_KEPT_LABEL = np.iinfo(np.int32).max
"""The highest label that can be kept; there are as many numbers above it for what is found."""


@dataclass(frozen=True)
class Progress:
    """How far `iter_segment_stack` is.

    Attributes
    ----------
    stage : Stage
        What is going on.
    n_done, n_total : int
        Parts of this stage that are done, and all of them: tiles, planes, regions.
    """

    stage: Stage
    n_done: int
    n_total: int


@dataclass(frozen=True)
class Workers:
    """Who does the tasks of a run.

    Attributes
    ----------
    client : distributed.Client or None
        Of a cluster; None: threads here.
    n_finders : int
        How many of these look for objects.
    """

    client: Client | None
    n_finders: int


def segment_stack(
    embeddings: Embeddings, out: str | os.PathLike[str], **options: Any
) -> LabelsPyramid:
    """Segment all objects of an image, and write them as an OME-Zarr label image.

    See `iter_segment_stack` for the parameters; this one returns when all is done.

    Returns
    -------
    LabelsPyramid
        Its `data` is the zarr array of the finest level.
    """
    run = iter_segment_stack(embeddings, out, **options)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value


def iter_segment_stack(
    embeddings: Embeddings,
    out: str | os.PathLike[str],
    *,
    planes: int | Iterable[int | tuple[int, ...]] | None = None,
    region: ArrayLike | None = None,
    settings: SegmentSettings | None = None,
    keep: LabelsArray | None = None,
    existing: Existing = "resume",
    client: Client | None = None,
    n_threads: int | None = None,
    keep_work: bool = False,
) -> Generator[Progress, None, LabelsPyramid]:
    """Segment all objects of an image, and tell how far it is; closing the generator stops it.

    Objects are found tile by tile. Those that neighboring tiles see are joined by their overlap in
    what both see, so that no object is cut by a tile and none is there twice; an object larger than
    a window is put together from its parts, best at a larger ``settings.find.step``. Then objects
    of neighboring planes are linked (`link_planes`). Where masks lie upon each other, as those of
    ``settings.find.exact`` do, smaller ones lie on top, as SAM's authors draw them.

    Whatever is found is kept in a folder beside the output until that is complete. A run that was
    stopped or killed goes on from there when it is repeated, with the same result. Memory does not
    grow with the image, but for about 100 bytes per object.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model. Tiles in its store are not encoded again.
    out : path
        A folder for an OME-Zarr 0.5 label image, as large as the image; it appears when it is
        complete. Its attributes hold all parameters and versions (`describe_run`), and its group
        ``objects`` boxes and scores (`read_objects`).
    planes : int, or iterable of int or tuple of int, optional
        Which planes. Default: all.
    region : (4,) or (N, 2) array, optional
        A box (y0, x0, y1, x1) or the vertices (row, column) of a polygon, in level-0 pixels: only
        tiles that meet it are looked at, and objects whose box has its center elsewhere are left
        out. Default: everything.
    settings : SegmentSettings, optional
        How objects are found, joined and linked.
    keep : numpy.ndarray or zarr.Array, optional
        Labels as large as the image, with objects that are there already. They are copied into the
        output with their numbers. What is found on them is dropped, and numbered after them.
    existing : {"resume", "replace", "refuse"}
        What to do with an output that is there, unfinished or complete; see `Existing`. What is
        replaced goes when the new output is complete.
    client : distributed.Client, optional
        Of a dask cluster; see `Embeddings.iter_compute`. The output is on a disk that it shares.
        Default: everything is computed here.
    n_threads : int, optional
        Tiles in which objects are looked for at once here, if more than one each with one core.
        Default: as many as torch may take cores, at most 4; for models that take long to encode,
        one, with all these cores.
    keep_work : bool
        Whether the folder beside the output stays.

    Yields
    ------
    Progress
        After each part of each stage.

    Returns
    -------
    LabelsPyramid
        The complete output.

    Raises
    ------
    TypeError, ValueError
        If the parameters do not fit the image or the model, or differ from those of the run that is
        to be resumed.
    FileExistsError, FileNotFoundError
        If the output cannot be made there.
    OSError
        If the disk is full, read-only or gone, or the workers are.
    """
    out = Path(out)
    run = prepare_run(embeddings, out, planes, region, settings, keep)
    check_out(out, embeddings.image, existing)
    if client is not None:
        from napari_sam.embedding.workers import check_client

        check_client(client)
    record = describe_run(run)
    if existing == "resume" and is_complete(out, record):
        if not keep_work:
            shutil.rmtree(run.folder.path, ignore_errors=True)
        return open_output(out)
    n_kept = _highest_kept(keep)
    record = begin(run.folder, record, existing)
    workers = Workers(client, n_threads or default_finders(embeddings.model))
    yield from _iter_numbered(run, workers)
    highest = place_stacks(run, n_kept)
    yield from _iter_written(run, highest, workers)
    if highest == n_kept:
        warnings.warn(_nothing_found(run), stacklevel=2)
    save_objects(run)
    finish(run.folder, out, record | {"highest_label": highest}, keep_work=keep_work)
    return open_output(out)


def prepare_run(
    embeddings: Embeddings,
    out: Path,
    planes: int | Iterable[int | tuple[int, ...]] | None,
    region: ArrayLike | None,
    settings: SegmentSettings | None,
    keep: LabelsArray | None,
) -> Run:
    """Check the parameters of `iter_segment_stack`, and fill in what was left out.

    Nothing is written.
    """
    if not isinstance(embeddings, Embeddings):
        raise TypeError(
            "Expected Embeddings, made by Embeddings(image, model); found "
            f"{type(embeddings).__name__}."
        )
    settings = SegmentSettings() if settings is None else settings
    if not isinstance(settings, SegmentSettings):
        raise TypeError(f"Expected SegmentSettings, found {type(settings).__name__}.")
    if settings.find.exact:
        check_exact(embeddings)
    image = embeddings.image
    plane_axes = "".join(axis for axis in image.axes if axis not in "cyx")
    if "p" in plane_axes.replace(image.channel_axis, ""):
        raise ValueError(
            f"The image has the axes {image.axes!r}, and OME-Zarr labels have none for positions, "
            f"p: open each position as an image of its own, and give it an output of its own."
        )
    chosen = sorted(Selection(embeddings, planes).planes)
    if not chosen:
        raise ValueError("There are no planes to segment: choose at least one.")
    run = Run(
        embeddings,
        RunFolder.beside(out),
        settings.resolved(
            embeddings.model, embeddings.base_step, plane_axes.replace(image.channel_axis, "")
        ),
        tuple(chosen),
        None if region is None else Region.parse(region, image.shape_yx),
        keep,
    )
    if not run.tiles():
        raise ValueError(
            "The region does not meet the image: choose another, or draw it on the image."
        )
    if keep is not None:
        _check_kept(run, keep)
    return run


def _check_kept(run: Run, keep: LabelsArray) -> None:
    check_labels(keep)
    leading = run.label_index(run.embeddings.image.plane_shape)
    expected = (*leading, *run.shape_yx)
    if tuple(keep.shape) != expected:
        raise ValueError(
            f"The labels to keep have shape {tuple(keep.shape)}; expected that of the image, "
            f"{expected}."
        )


def _highest_kept(keep: LabelsArray | None) -> int:
    """Return the highest label to keep, 0 if there is none; above it come those of the run."""
    highest = 0 if keep is None else LabelIds(keep).highest
    if highest > MAX_KEPT_LABEL:
        raise ValueError(
            f"The labels to keep hold the number {highest}; expected at most {MAX_KEPT_LABEL}, so "
            f"that 32 bits have numbers for what is found: number them anew."
        )
    return highest


def _nothing_found(run: Run) -> str:
    find, n_planes = run.settings.find, run.settings.link.min_extent
    result = "so the labels are empty" if run.keep is None else "but for those that are kept"
    scores = {"predicted IoU": find.pred_iou, "stability": find.stability}
    if find.mode != "grid":
        scores["score of the instance maps"] = find.score
    asked = [f"{name} {least:g}" for name, least in scores.items() if least]
    most = "or more" if find.max_area is None else f"to {find.max_area:g}"
    asked.append(f"area {find.min_area:g} {most} pixels")
    reasons = ["there is only background", f"none has what is asked for ({', '.join(asked)})"]
    if n_planes > 1:
        reasons.append(f"none is in {n_planes} planes")
    if run.region is not None:
        reasons.append("none is in the region")
    step, base = run.grid.step, run.embeddings.base_step
    if find.exact:
        reasons.append(
            f"objects are too large for the model: try step={4 * step:g} in place of exact"
        )
    elif step > base and max(run.shape_yx) < SMALL_SAMPLES * step:
        reasons.append(f"the image is too small for the model at step={step:g}: try step={base:g}")
    else:
        reasons.append(
            f"objects are too large for the model at step={step:g}: try step={4 * step:g}"
        )
    return f"No object was found, {result}. Perhaps {'; or '.join(reasons)}."


def _iter_numbered(run: Run, workers: Workers) -> Generator[Progress, None, None]:
    """Find all objects, and give them numbers."""
    n_planes, n_stacks = len(run.planes), len(stacks(run))
    n_tiles = n_planes * len(run.tiles())
    n_blocks = sum(1 for _ in iter_blocks(run))
    yield from _iter_saved("find", find_tile, run, run.iter_tiles(), n_tiles, workers)
    yield from _iter_saved("match", match_tile, run, run.iter_tiles(), n_tiles, workers)
    yield from _iter_saved("join", join_plane, run, run.planes, n_planes, workers)
    yield from _iter_saved("compare", count_shared, run, iter_blocks(run), n_blocks, workers)
    numbers = ((number,) for number in range(n_stacks))
    yield from _iter_saved("link", link_stack, run, numbers, n_stacks, workers)


def _iter_saved(
    stage: Stage, task: Task, run: Run, parts: Iterable[Part], n_total: int, workers: Workers
) -> Generator[Progress, None, None]:
    """Do the parts of a pass whose results are not in the working folder."""
    n_skipped = 0

    def missing() -> Iterator[Part]:
        nonlocal n_skipped
        for part in parts:
            if run.folder.has(stage, part):
                n_skipped += 1
            else:
                yield part

    with closing(_iter_parts(stage, task, run, missing(), workers)) as done:
        for n_done, _ in enumerate(done, 1):
            yield Progress(stage, n_done + n_skipped, n_total)


def _iter_written(run: Run, highest: int, workers: Workers) -> Generator[Progress, None, None]:
    """Write the labels, and then the coarser levels."""
    pyramid = make_labels(run, highest)
    for level in range(len(pyramid.levels)):
        stage: Stage = "reduce" if level else "write"
        parts = list(iter_coarse(run, level) if level else iter_unwritten(run))
        task = write_coarse if level else write_region
        with closing(_iter_parts(stage, task, run, iter(parts), workers)) as done:
            for n_done, _ in enumerate(done, 1):
                yield Progress(stage, n_done, len(parts))


def _iter_parts(
    stage: Stage, task: Task, run: Run, parts: Iterator[Part], workers: Workers
) -> Generator[Part, None, None]:
    is_finding = stage == "find"
    n_threads = workers.n_finders if is_finding else min(n_cores(), MAX_THREADS)
    with one_core() if is_finding and n_threads > 1 else nullcontext():
        yield from iter_tasks(
            task,
            run,
            parts,
            client=workers.client,
            n_threads=n_threads,
            parts_per_task=PARTS_PER_TASK.get(stage, 1),
        )
