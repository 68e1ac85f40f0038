"""Options of a command in a TOML file, or in the labels that it made."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

ATTRIBUTE = "napari_sam_command"
"""Of the zarr group with labels: the options that repeat the command."""

NOT_KEPT = ("config", "save_config")
"""Options that no file holds."""

NOT_SAVED = (*NOT_KEPT, "dry_run", "json")
"""Those, and what is only about one call."""

REPLACES = {
    "model": ("checkpoint", "pred_iou", "stability"),
    "checkpoint": ("model", "pred_iou", "stability"),
    "mode": ("exact", "pred_iou", "stability"),
    "exact": ("mode", "step", "store", "pred_iou", "stability"),
    "step": ("exact",),
}
"""Another one than that of the labels → which options of theirs it cannot or should not go with:
thresholds, for example, are those that suited their model and mode."""


def use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of all options from a file: the callback of an eager option.

    Raises
    ------
    typer.BadParameter
        If it cannot be read, or has an unknown key.
    """
    if path is not None:
        parameters = {parameter.name: parameter for parameter in context.command.params}
        defaults: dict[str, Any] = {}
        for key, value in read_config(path).items():
            name = key.replace("-", "_")
            if name not in parameters or name in NOT_KEPT:
                raise typer.BadParameter(_unknown(path, key, list(parameters)))
            parameter = parameters[name]
            takes_many = getattr(parameter, "multiple", False) or parameter.nargs == -1
            defaults[name] = _as_text(value) if takes_many else ",".join(_as_text(value))
        context.default_map = defaults
    return path


def drop_replaced(context: typer.Context) -> None:
    """Forget options of labels that do not go with those on the command line, see `REPLACES`.

    Those of a TOML file stay: somebody wrote them.
    """
    path, found = context.params["config"], context.default_map or {}
    if path is None or not Path(path).is_dir():
        return
    for name, replaced in REPLACES.items():
        is_other = str(context.params[name]) != found.get(name)
        if is_other and _source(context, name) == "COMMANDLINE":
            for one in replaced:
                if _source(context, one) == "DEFAULT_MAP":
                    context.params[one] = found[one] = None
    context.default_map = {name: value for name, value in found.items() if value is not None}


def read_config(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, or the options that made labels.

    Raises
    ------
    typer.BadParameter
        If there is nothing of the kind at the path.
    """
    if path.is_dir():
        return _read_labels(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise typer.BadParameter(f"{path} is no TOML file that can be read: {error}") from error


def _read_labels(path: Path) -> dict[str, Any]:
    import zarr  # takes a while
    from zarr.errors import GroupNotFoundError

    try:
        found: Any = zarr.open_group(path, mode="r").attrs[ATTRIBUTE]
    except (KeyError, OSError, GroupNotFoundError) as error:
        raise typer.BadParameter(
            f"{path} is a folder, but no labels that 'napari-sam segment' made. (Those of Python "
            f"and of napari hold their settings too: napari_sam.segment.read_record.)"
        ) from error
    return dict(found)


def write_config(path: Path, options: Mapping[str, Any]) -> None:
    """Write options into a TOML file.

    Raises
    ------
    typer.BadParameter
        If the path is not that of one, as that of an image.
    """
    if path.suffix != ".toml" or not path.absolute().parent.is_dir():
        raise typer.BadParameter(
            f"--save-config {path}: expected a name that ends in .toml, in a folder that is there."
        )
    path.write_text("".join(toml_lines(options)), encoding="utf-8")


def toml_lines(options: Mapping[str, Any]) -> list[str]:
    """Return options as the lines of a TOML file."""
    # Numbers, strings and lists of JSON are those of TOML.
    return [f"{key} = {json.dumps(value)}\n" for key, value in options.items()]


def given_options(context: typer.Context) -> dict[str, Any]:
    """Return the options that were given, on the command line or in a file, as TOML names them."""
    given = dict(context.default_map or {})
    given |= {
        name: str(value) if isinstance(value, Path) else value
        for name, value in context.params.items()
        if _is_given(context, name)
    }
    return {n.replace("_", "-"): value for n, value in given.items() if n not in NOT_SAVED}


def _is_given(context: typer.Context, name: str) -> bool:
    is_there = context.params[name] is not None
    return is_there and _source(context, name) in ("COMMANDLINE", "DEFAULT_MAP")


def _source(context: typer.Context, name: str) -> str | None:
    source = context.get_parameter_source(name)
    return source.name if source else None


def _unknown(path: Path, key: str, names: list[str]) -> str:
    near = difflib.get_close_matches(key.replace("-", "_"), names, n=1)
    hint = f"; the nearest is {near[0].replace('_', '-')!r}" if near else ""
    return f"{path} has {key!r}, and there is no such option{hint}."


def _as_text(value: Any) -> list[str]:
    """Return a value of TOML as on the command line; of lists each entry."""
    return list(_iter_text(value))


def _iter_text(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _iter_text(one)
    else:
        yield str(value)
