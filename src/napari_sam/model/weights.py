"""Files of weights on this machine: checked when used, imported, verified, removed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from uuid import uuid4

from napari_sam.model import registry
from napari_sam.model.check import check, check_published, hash_of, published_files
from napari_sam.model.download import Origin
from napari_sam.model.record import (
    Record,
    converted_folder,
    make_folder,
    record_path,
    weights_folder,
    write_record,
)
from napari_sam.model.registry import (
    ModelSpec,
    WeightFile,
    custom_spec,
    find_model,
    list_models,
)

__all__ = [
    "check",
    "import_file",
    "import_folder",
    "remove",
    "verify",
    "weights_folder",
]


def import_file(path: str | PathLike[str], name: str | None = None) -> ModelSpec:
    """Copy a file of weights into the folder of weights.

    A published file is recognized by its hash, whatever its name, and installed as what it is. Any
    other checkpoint becomes a model of the user's own.

    Parameters
    ----------
    path : path
        The file.
    name : str, optional
        What `load_model` is to call a model of the user's own; by default made from the file name.

    Raises
    ------
    ValueError
        If the file is no checkpoint of a known network, or the name is invalid or taken.
    OSError
        If there is no such file, or it can't be copied.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; expected a file of weights.")
    known = recognize(path)
    if known is None:
        return import_custom(path, name)
    spec, file = known
    if name not in (None, spec.name):
        raise ValueError(f"{path.name} is the published {spec.name}; leave the name away.")
    install_published(path, file)
    return spec


def import_folder(
    path: str | PathLike[str], *, on_skip: Callable[[str], None] | None = None
) -> list[ModelSpec]:
    """Copy all published weights in a folder into the folder of weights, for offline machines.

    Parameters
    ----------
    path : path
        The folder; its subfolders are not searched.
    on_skip : callable, optional
        Called with a sentence for each file that is not taken.

    Returns
    -------
    list of ModelSpec
        The models that got a file; they are `installed` once they have all.

    Raises
    ------
    OSError
        If there is no such folder, or a file can't be copied.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"There is no folder {str(folder)!r}; expected one of weights.")
    found: dict[str, ModelSpec] = {}
    for candidate in sorted(entry for entry in folder.iterdir() if entry.is_file()):
        known = recognize(candidate)
        if known is not None:
            spec, file = known
            install_published(candidate, file)
            found[spec.name] = spec
        elif on_skip is not None:
            on_skip(why_skipped(candidate))
    return list(found.values())


def why_skipped(path: Path) -> str:
    """Return why a file of a folder is not taken."""
    file = published_files().get(path.name)
    if file is not None:
        with contextlib.suppress(OSError):
            try:
                check_published(path, file)
            except ValueError as error:
                return f"Skipped: {error}"
    return (
        f"Skipped: {path.name} is no published file of weights; import it by itself to use it as "
        "a model of your own."
    )


def recognize(path: Path) -> tuple[ModelSpec, WeightFile] | None:
    """Return which published file this is, going by its hash, or None."""
    size_bytes = path.stat().st_size
    hashes: dict[str, str] = {}
    for spec in registry.published():
        for file in spec.files:
            if file.known_hash is None or (file.is_size_exact and file.size_bytes != size_bytes):
                continue
            algorithm, _, expected = file.known_hash.partition(":")
            if algorithm not in hashes:
                hashes[algorithm] = hash_of(path, algorithm)
            if hashes[algorithm] == expected:
                return spec, file
    return None


def install_published(path: Path, file: WeightFile) -> None:
    """Install a file that was recognized as a published one."""
    algorithm = str(file.known_hash).partition(":")[0]
    record = Record(hash_of(path), path.stat().st_size, "imported", f"publisher's {algorithm}")
    install(path, file.target, record)


def import_custom(path: Path, name: str | None) -> ModelSpec:
    """Install a checkpoint as a model of the user's own."""
    from napari_sam.model.architecture import infer_architecture
    from napari_sam.model.checkpoint import read_checkpoint
    from napari_sam.model.load import load_files

    if name is None and path.name in published_files():
        check_published(path, published_files()[path.name])  # raises: it was not recognized
    if name is None:
        name = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_-") or "model"
    check_name(name)
    suffix = path.suffix if path.suffix in (".pt", ".pth", ".safetensors") else ".pth"
    target = weights_folder() / f"{name}{suffix}"
    if target.name in published_files() or (target.exists() and not target.samefile(path)):
        raise ValueError(f"{target} is the name of another file; choose another name.")
    conversion = load_files([path], None).conversion  # raises unless every tensor fits
    architecture = infer_architecture(read_checkpoint(path).weights, path.name)
    model = {
        "name": name,
        "description": f"Imported from {path.absolute()}.",
        "architecture": architecture.name,
        "conversion": conversion,
    }
    record = Record(hash_of(path), path.stat().st_size, "imported", "first use", model=model)
    install(path, target, record)
    return custom_spec(target.name, record)


def check_name(name: str) -> None:
    """Raise ValueError unless a new model can have this name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise ValueError(
            f"{name!r} can't be the name of a model; expected up to 64 small letters, digits, "
            "_ and -, beginning with a letter or digit."
        )
    if any(spec.name == name for spec in list_models()):
        raise ValueError(f"There is a model {name!r} already; choose another name.")


def install(source: Path, target: Path, record: Record) -> None:
    """Copy a file to its place with its record, or leave nothing of it.

    Raises
    ------
    OSError
        If it can't be copied.
    """
    make_folder()
    part = target.with_name(f"{target.name}.{uuid4().hex}.tmp")
    try:
        shutil.copyfile(source, part)
        write_record(target, record)
        part.replace(target)
    except OSError as error:
        if not target.exists():
            record_path(target).unlink(missing_ok=True)
        raise OSError(f"{source} could not be copied to {target}: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def verify(name: str) -> str:
    """Check the weights of a model, and return a sentence that says that they are right.

    Raises
    ------
    ValueError
        If there is no such model, it is not installed, or its weights are not what they were.
    """
    spec = find_model(name)
    if spec.paths is None:
        raise ValueError(f"{name} is not installed. {spec.source}")
    told = []
    for path, file in zip(spec.paths, spec.files, strict=False):
        sha256 = check(path)
        checked = check_published(path, file)
        if spec.built_in:
            how = "comes with napari-sam; nobody publishes its hash"
        elif spec.is_custom or file.known_hash is None:
            how = "is what it was at first use; nobody publishes its hash"
        else:
            how = f"agrees with the {checked}"
        told.append(f"{path.name} {how} (SHA-256 {sha256})")
    return f"{name}: {'; '.join(told)}."


def remove(name: str) -> int:
    """Remove the weights of a model, with unfinished downloads and what OpenVINO made of them.

    Returns
    -------
    int
        How many bytes that freed.

    Raises
    ------
    ValueError
        If there is no such model, it is built in, or nothing of it is here.
    OSError
        If a file can't be removed.
    """
    spec = find_model(name)
    if spec.built_in:
        raise ValueError(f"{name} comes with napari-sam and can't be removed.")
    there = [path for file in spec.files for path in traces(file) if path.is_file()]
    if not there:
        raise ValueError(f"{name} is not installed: there is nothing to remove.")
    freed = remove_converted(spec)
    for path in there:
        size_bytes = path.stat().st_size
        try:
            path.unlink()
        except OSError as error:
            raise OSError(f"{path} can't be removed: {error.strerror}.") from error
        freed += size_bytes
    return freed


def traces(file: WeightFile) -> list[Path]:
    """Return where installing a file leaves something: itself, its record, what is unfinished."""
    unfinished = [file.part, Origin.path(file.part), *file.target.parent.glob(f"{file.name}.*.tmp")]
    return [file.target, record_path(file.target), *unfinished]


def remove_converted(spec: ModelSpec) -> int:
    """Remove what OpenVINO made of the weights of a model, and return how many bytes that frees."""
    if spec.weights is None:
        return 0
    folder = converted_folder(hash_of(spec.weights))
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    return freed
