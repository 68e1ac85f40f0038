"""From the options of ``napari-sam segment`` to what is done with each image."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import typer

from napari_sam.cli.config import drop_replaced, given_options, toml_lines, write_config
from napari_sam.cli.embed import connected, parse_channels
from napari_sam.cli.images import ENDINGS, find_images, name_outputs, stem
from napari_sam.cli.mistakes import told_as_mistakes
from napari_sam.cli.segment_image import (
    LINK_OPTIONS,
    Request,
    foretell_image,
    make_folder,
    open_kept,
    segment_image,
)
from napari_sam.cli.wording import with_options, with_settings
from napari_sam.labels.export import FORMATS, check_packages
from napari_sam.model import load_model
from napari_sam.segment.output import Existing
from napari_sam.segment.settings import FindSettings, LinkSettings, SegmentSettings

Summary = dict[str, Any]

S = TypeVar("S", FindSettings, LinkSettings, SegmentSettings)


def segment_images(context: typer.Context) -> None:
    """Do what the options say.

    Raises
    ------
    typer.BadParameter
        If they are wrong.
    typer.Exit
        With the exit code, unless it is 0.
    """
    drop_replaced(context)
    options, given = context.params, given_options(context)
    if not (sources := options["images"] or given.get("images")):
        raise typer.BadParameter("There is no image: give paths, folders or patterns.")
    with told_as_mistakes():
        images = find_images(sources)
        outputs, exports = plan_outputs(images, options["out"], options["export"] or ())
        for name in (*exports, *([".histograms.png"] if options["pictures"] else [])):
            check_packages(name)
        if options["keep"] and len(images) > 1:
            raise typer.BadParameter(f"--keep is for one image, and there are {len(images)}.")
        open_kept(options["keep"])
        request = make_request(options, given, exports)
    if options["save_config"]:
        write_config(Path(options["save_config"]), given)
    try:
        results = _each(options, request, images, outputs)
    except KeyboardInterrupt:
        typer.echo("Stopped. What is found stays: the same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    if options["json"]:
        typer.echo(json.dumps({"images": results}, indent=2))
    if any("error" in result for result in results):
        raise typer.Exit(1)


def plan_outputs(
    images: list[str], out: str | None, exports: Iterable[str]
) -> tuple[list[Path], tuple[str, ...]]:
    """Return the path of each image's labels, and what is exported.

    Raises
    ------
    typer.BadParameter
        If there is no output, or only an ending of one, or one file for several images, or a format
        is not known.
    ValueError
        If two images would have the same output.
    """
    if out is None:
        raise typer.BadParameter("There is no output: give --out, such as -o labels.zarr.")
    path, several = Path(out), len(images) > 1
    if (name := path.name.lower()) in (*FORMATS, *ENDINGS):
        raise typer.BadParameter(
            f"--out {out} is only an ending: give a name before it, such as labels{name}, or the "
            f"name of a folder."
        )
    known = ", ".join(FORMATS)
    end = next((end for end in FORMATS if path.name.lower().endswith(end)), "")
    asked = [end, *exports] if end else exports
    exports = tuple(dict.fromkeys(one.lower() if one.lower() in FORMATS else one for one in asked))
    for one in exports:
        is_other_ending = one not in FORMATS and Path(one).name.startswith(".")
        if is_other_ending or not one.lower().endswith(tuple(FORMATS)):
            raise typer.BadParameter(f"--export {one} is of no known format; there are {known}.")
        if several and one not in FORMATS:
            raise typer.BadParameter(
                f"--export {one} is one file, and there are {len(images)} images: give only its "
                f"ending, such as .csv."
            )
    if is_folder(path):
        return name_outputs(images, path), exports
    if not end and path.suffix.lower() != ".zarr":
        raise typer.BadParameter(
            f"--out {out} is of no known format; there are .zarr, {known}; a name without ending "
            f"is a folder."
        )
    if several:
        raise typer.BadParameter(
            f"--out {out} is one output, and there are {len(images)} images: give the name of a "
            f"folder, without ending."
        )
    if not end:
        return [path], exports
    labels = path.with_name(path.name[: -len(end)] + ".zarr")
    return [labels], tuple(str(path) if one == end else one for one in exports)


def is_folder(out: Path) -> bool:
    """Whether an output is a folder for the labels of all images."""
    return not out.suffix or (out.is_dir() and out.suffix.lower() != ".zarr")


def make_request(
    options: Mapping[str, Any], given: Mapping[str, Any], exports: tuple[str, ...]
) -> Request:
    """Return what is to be done with each image; the model is loaded.

    Raises
    ------
    typer.BadParameter, OSError, ValueError
        If an option is wrong, or the weights cannot be read.
    """
    existing: list[Existing] = ["resume", "replace", "refuse"]
    chosen = [name for name in existing if options[name]]
    if len(chosen) > 1:
        raise typer.BadParameter(f"Give one of {' and '.join(f'--{name}' for name in chosen)}.")
    region, settings = parse_region(options["region"]), make_settings(options)
    if settings.find.exact and options["store"]:
        raise typer.BadParameter(
            "--store holds tiles, and --exact looks at each plane as a whole: give one of them."
        )
    out = Path(options["out"])
    model = load_model(
        options["model"],
        checkpoint=options["checkpoint"],
        device=options["device"],
        precision=options["precision"],
    )
    return Request(
        model=model,
        settings=settings,
        existing=chosen[0] if chosen else "resume",
        axes=options["axes"],
        series=options["series"],
        channels=parse_channels(options["channel"]),
        level=options["level"] or 0,
        planes=options["planes"],
        region=region,
        folder=out if is_folder(out) else None,
        keep=Path(options["keep"]) if options["keep"] else None,
        exports=exports,
        pictures=options["pictures"],
        given=given,
    )


def make_settings(options: Mapping[str, Any]) -> SegmentSettings:
    """Return the settings that options say; the others have their defaults.

    Raises
    ------
    typer.BadParameter
        If one is out of range.
    """
    find = _make(FindSettings, options)
    link = _make(LinkSettings, options, LINK_OPTIONS)
    return _make(SegmentSettings, {**options, "find": find, "link": link})


def _make(kind: type[S], options: Mapping[str, Any], renamed: Mapping[str, str] = {}) -> S:
    """Return settings from the options of the same names, but for those that are renamed."""
    names = {field.name: renamed.get(field.name, field.name) for field in fields(kind)}
    given = {name: options[option] for name, option in names.items() if options[option] is not None}
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        flags = {name: "--" + option.replace("_", "-") for name, option in names.items()}
        raise typer.BadParameter(with_settings(error, flags)) from error


def parse_region(text: str | None) -> list[float] | list[tuple[float, float]] | None:
    """Return a box or the vertices of a polygon from numbers with commas between them.

    Raises
    ------
    typer.BadParameter
        If they are neither.
    """
    if text is None:
        return None
    try:
        numbers = [float(part) for part in re.split(r"[,\s]+", text.strip())]
    except ValueError:
        numbers = []
    if len(numbers) == 4:
        return numbers
    if len(numbers) < 6 or len(numbers) % 2:
        raise typer.BadParameter(
            f"--region {text}: expected a box y0,x0,y1,x1, or three or more vertices y,x,y,x,y,x."
        )
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _each(
    options: Mapping[str, Any], request: Request, images: list[str], outputs: list[Path]
) -> list[Summary]:
    """Do one image after the other, and tell about each; one that fails stops no other."""
    results = []
    if options["store"] and len(images) > 1 and not options["dry_run"]:
        with told_as_mistakes():
            make_folder(Path(options["store"]))
    with connected(options["scheduler"]) as client:
        n_workers = sum(client.nthreads().values()) if client else None
        for image, out in zip(images, outputs, strict=True):
            store = _store_of(options["store"], image, len(images))
            if options["dry_run"]:
                do = partial(foretell_image, request, image, out, store, n_workers)
            else:
                do = partial(segment_image, request, image, out, store, client)
            result = _attempt(image, do)
            results.append(result)
            if "error" not in result and not options["json"]:
                typer.echo(_sentence(result))
    return results


def _attempt(image: str, do: Callable[[], Summary]) -> Summary:
    started = time.perf_counter()
    try:
        result = do()
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        # Torch's own errors are RuntimeErrors.
        sentence = with_options(error) or type(error).__name__
        typer.echo(f"{image}: {sentence}", err=True)
        result = {"image": image, "error": sentence}
    return result | {"seconds": round(time.perf_counter() - started, 3)}


def _store_of(store: str | None, image: str, n_images: int) -> Path | None:
    if store is None:
        return None
    return Path(store, stem(image)) if n_images > 1 else Path(store)


def _sentence(result: Summary) -> str:
    if "forecast" in result:
        lines = "".join(toml_lines(result["options"]))
        return f"{result['image']}: {result['sentence']}\n\n{lines}"
    n_objects, in_all = result["n_objects"], result["n_objects_in_all"]
    objects = "object" if n_objects == 1 else "objects"
    counted = f"{n_objects} {objects}"
    if in_all > n_objects:
        counted = f"{n_objects} new {objects} ({in_all} in all)"
    done = (
        f"finished before, with {counted}"
        if result["was_finished"]
        else f"{counted} in {result['seconds']:.3g} s"
    )
    return f"{result['image']}: {done}; see {', '.join([result['labels'], *result['files']])}"
