"""What ``napari-sam segment`` does with one image."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
import zarr
from zarr.errors import GroupNotFoundError

from napari_sam.cli.config import ATTRIBUTE
from napari_sam.cli.embed import parse_planes
from napari_sam.cli.images import stem
from napari_sam.cli.segment_files import (
    check_files,
    find_made_of,
    list_files,
    tell_outdated,
    write_files,
)
from napari_sam.cli.wording import with_options
from napari_sam.embedding import Embeddings
from napari_sam.embedding.disk_errors import explained
from napari_sam.image import Image, open_image
from napari_sam.labels import open_labels
from napari_sam.labels.array import LabelsArray
from napari_sam.labels.ids import iter_blocks
from napari_sam.model.base import Model
from napari_sam.model.computing import backend_of, precision_of
from napari_sam.segment.forecast import forecast
from napari_sam.segment.objects import read_objects
from napari_sam.segment.output import Existing, check_out, is_complete, read_begun, read_record
from napari_sam.segment.record import describe_run
from napari_sam.segment.settings import SegmentSettings
from napari_sam.segment.stack import Progress, iter_segment_stack, prepare_run

if TYPE_CHECKING:
    from distributed import Client

STAGES = {
    "find": "finding objects",
    "match": "comparing tiles",
    "join": "joining tiles",
    "compare": "counting pixels",
    "link": "linking planes",
    "write": "writing labels",
    "reduce": "writing coarser levels",
}

LINK_OPTIONS = {"is_linked": "link", "axis": "link_axis", "overlap": "link_overlap"}
"""Settings of links → their options, where the names differ."""

IMAGE_OPTIONS = ("axes", "series", "channel", "level", "planes", "region")
"""That the labels depend on too."""


@dataclass(frozen=True)
class Request:
    """What is done to each image.

    Attributes
    ----------
    model : Model
        That finds the objects.
    settings : SegmentSettings
        How.
    existing : {"resume", "replace", "refuse"}
        What to do with outputs that are there.
    axes, series, channels, level : optional
        As `open_image` takes them.
    planes, region : optional
        As `parse_planes` and `iter_segment_stack` take them.
    folder : Path, optional
        For the outputs; made if it is not there.
    keep : Path, optional
        Labels whose objects stay.
    exports : tuple of str
        Endings of files beside the labels, or paths.
    pictures : bool
        Whether an overview and histograms are written beside them.
    given : dict
        Options, as a TOML file holds them.
    """

    model: Model
    settings: SegmentSettings
    existing: Existing
    axes: str | None
    series: int | None
    channels: Any
    level: int
    planes: str | None
    region: Any
    folder: Path | None
    keep: Path | None
    exports: tuple[str, ...]
    pictures: bool
    given: Mapping[str, Any]

    def open(self, image: str) -> Image:
        """Return an image, of which only metadata are read."""
        return open_image(
            _absolute(image),
            axes=self.axes,
            series=self.series,
            channels=self.channels,
            level=self.level,
        )


def segment_image(
    request: Request, image: str, out: Path, store: Path | None, client: Client | None
) -> dict[str, Any]:
    """Segment an image, write all files, and return what is to be told about it."""
    opened = request.open(image)
    files = list_files(out, request.exports, request.pictures)
    check_files(files, out, opened, request.existing)
    planes = parse_planes(request.planes, opened.plane_shape)
    embeddings = Embeddings(opened, request.model, store=store)
    was_finished = request.existing == "resume" and out.exists()
    of_others = find_made_of(out) if request.existing == "replace" else {}
    steps = iter_segment_stack(
        embeddings,
        out,
        planes=planes,
        region=request.region,
        settings=request.settings,
        keep=open_kept(request.keep),
        existing=request.existing,
        client=client,
    )
    if request.folder:
        make_folder(request.folder)
    with _collected_warnings() as told, closing(steps):
        if note := embeddings.image.note:
            warnings.warn(f"{image}: {note}.", stacklevel=1)
        _show(steps, stem(image))
        record = read_record(out) or {}
        options = repeating_options(request, image, store, record["settings"])
        _write_options(out, options)
        plane = planes[len(planes) // 2]
        write_files(files, out, opened, plane, request.existing)
        tell_outdated({file: of_others[file] for file in of_others if file not in files}, out)
    return {
        "image": image,
        "labels": str(out),
        "files": [str(file) for file in files],
        **_count_objects(out, request.keep),
        "was_finished": was_finished,
        "warnings": told,
        "parameters": record,
        "options": options,
    }


def foretell_image(
    request: Request, image: str, out: Path, store: Path | None, n_workers: int | None
) -> dict[str, Any]:
    """Return what segmenting an image will take; nothing is written."""
    opened = request.open(image)
    files = list_files(out, request.exports, request.pictures)
    check_files(files, out, opened, request.existing)
    if out.absolute().parent.is_dir():
        check_out(out, opened, request.existing)
    embeddings = Embeddings(opened, request.model)
    planes = parse_planes(request.planes, opened.plane_shape)
    keep = open_kept(request.keep)
    run = prepare_run(embeddings, out, planes, request.region, request.settings, keep)
    summary = {
        "image": image,
        "labels": str(out),
        "files": [str(file) for file in files],
        "options": repeating_options(request, image, store, run.settings.to_dict()),
    }
    record = describe_run(run)
    if request.existing == "resume" and is_complete(out, record):
        return summary | _count_objects(out, request.keep) | {"was_finished": True}
    goes_on = read_begun(run.folder, record, request.existing) is not None
    ahead = forecast(run, n_workers, store, goes_on=goes_on)
    return summary | {"forecast": asdict(ahead), "sentence": str(ahead)}


def repeating_options(
    request: Request, image: str, store: Path | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all options that labels depend on, as a TOML file holds them; none is a default.

    Parameters
    ----------
    request, image, store
        Of the run. What goes through a store is rounded as that is.
    settings : mapping
        What `SegmentSettings.to_dict` returns, all filled in.
    """
    given, model = request.given, request.model
    options: dict[str, Any] = {"images": [_absolute(image)]}
    options |= {name: given[name] for name in IMAGE_OPTIONS if name in given}
    if request.keep:
        options["keep"] = str(request.keep.absolute())
    if store:
        options["store"] = str(store.absolute())
    if model.checkpoint:
        options["checkpoint"] = str(model.checkpoint.absolute())
    else:
        options["model"] = model.name
    is_openvino = backend_of(model) == "openvino"
    options["device"] = "openvino" if is_openvino else model.device.type
    options["precision"] = precision_of(model)
    link = {LINK_OPTIONS.get(name, name): value for name, value in settings["link"].items()}
    named = settings["find"] | {"join_overlap": settings["join_overlap"]} | link
    options |= {name.replace("_", "-"): value for name, value in named.items()}
    if "axis" not in settings["link"]:  # that nothing can be linked here tells nothing of stacks
        for name in ("link", "min-extent"):
            del options[name]
    return options


def _count_objects(labels: Path, keep: Path | None) -> dict[str, int]:
    """Return how many objects were found, and how many there are with those that were kept."""
    found: set[int] = set(read_objects(labels)["label"].tolist())
    in_all = found.copy()
    if keep:
        for block in iter_blocks(open_labels(labels, mode="r").data):
            in_all.update(np.unique(block[block > 0]).tolist())
    return {"n_objects": len(found), "n_objects_in_all": len(in_all)}


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _write_options(out: Path, options: Mapping[str, Any]) -> None:
    with explained(out, "written", "output"):
        group = zarr.open_group(out, mode="r+")
        if ATTRIBUTE not in group.attrs:  # of a complete run, they tell how it was made
            group.attrs[ATTRIBUTE] = dict(options)


def make_folder(folder: Path) -> None:
    """Make a folder for the files of several images, in one that is there.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {folder.absolute().parent}; make it first.")
    with explained(folder, "made", "folder"):
        folder.mkdir(exist_ok=True)


def open_kept(path: Path | None) -> LabelsArray | None:
    """Return the labels to keep.

    Raises
    ------
    ValueError
        If there are none at the path.
    """
    if path is None:
        return None
    try:
        return open_labels(path, mode="r").data
    except (FileNotFoundError, GroupNotFoundError, ValueError) as error:
        raise ValueError(
            f"--keep {path}: there is no OME-Zarr label image, such as this command writes."
        ) from error


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Hand out a list that has the sentences of all warnings at the end; tell them too."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield told
    sentences = (with_options(one.message) for one in caught if one.category is UserWarning)
    told += dict.fromkeys(sentences)
    for sentence in told:
        typer.echo(sentence, err=True)


def _show(steps: Iterable[Progress], name: str) -> None:
    """Go through a run, with a bar for each stage if somebody looks.

    The name is shown at once, for the first tile may take long.
    """
    from tqdm import tqdm

    bar, stage = tqdm(bar_format="{desc} …", desc=name, leave=False, disable=None), None
    try:
        for progress in steps:
            if progress.stage != stage:
                stage = progress.stage
                bar.close()
                bar = tqdm(
                    total=progress.n_total,
                    initial=progress.n_done - 1,
                    desc=f"{name}: {STAGES[stage]}",
                    leave=False,
                    disable=None,  # only in a terminal
                )
            bar.update(progress.n_done - bar.n)
    finally:
        bar.close()
