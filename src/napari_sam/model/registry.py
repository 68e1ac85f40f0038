"""The models that there are, and where their weights are; needs no torch."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import compress
from pathlib import Path

from napari_sam.model.record import Record, read_record, weights_folder


@dataclass(frozen=True)
class WeightFile:
    """One file of weights.

    Parameters
    ----------
    name : str
        Its name in the folder of weights.
    url : str or None
        Where it is published; None if it came with the package or from the user.
    size_bytes : int
        Its size.
    is_size_exact : bool
        False if the publisher does not say, and `size_bytes` is that of the numbers in it.
    known_hash : str or None
        ``"sha256:…"``, ``"md5:…"`` or ``"xxh128:…"``, in hexadecimal digits.
    """

    name: str
    url: str | None
    size_bytes: int
    is_size_exact: bool = True
    known_hash: str | None = None

    @property
    def target(self) -> Path:
        """Where the file is once it is installed."""
        return weights_folder() / self.name

    @property
    def part(self) -> Path:
        """Where the file grows while it is being fetched."""
        return weights_folder() / f"{self.name}.part"

    @property
    def present_bytes(self) -> int:
        """How much of the file is on this machine, a download that was cut short included."""
        for path in (self.target, self.part):
            if path.is_file():
                return path.stat().st_size
        return 0


@dataclass(frozen=True)
class ModelSpec:
    """One row of the registry.

    Parameters
    ----------
    name : str
        What `load_model` takes.
    description : str
        What the model is good at.
    architecture : str
        Which network it is; several models may share one.
    licence : str
        SPDX identifier of the licence of the weights, or ``"not stated"``.
    files : tuple of WeightFile
        The weights, then the instance decoder if it has a file of its own.
    built_in : bool
        Whether the weights come with this package.
    conversion : str
        How the model wants its images: ``"percentiles"`` or micro-sam's ``"min-max"``.
    """

    name: str
    description: str
    architecture: str
    licence: str
    files: tuple[WeightFile, ...]
    built_in: bool = False
    conversion: str = "percentiles"

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def present_bytes(self) -> int:
        """How much of the files is on this machine, downloads that were cut short included."""
        if self.built_in:
            return self.size_bytes
        return sum(file.present_bytes for file in self.files)

    @property
    def paths(self) -> tuple[Path, ...] | None:
        """The files on this machine, in the order of `files`; None if the weights are not here."""
        paths = [
            built_in_weights(self.name) if self.built_in else file.target for file in self.files
        ]
        is_here = [path.is_file() for path in paths]
        return tuple(compress(paths, is_here)) if is_here[0] else None

    @property
    def weights(self) -> Path | None:
        """The file of weights on this machine, or None."""
        return self.paths[0] if self.paths else None

    @property
    def instance_decoder(self) -> Path | None:
        """The separate file of the instance decoder on this machine, or None."""
        return self.paths[1] if self.paths and len(self.paths) > 1 else None

    @property
    def installed(self) -> bool:
        """Whether the model can be loaded by its name alone."""
        return self.paths is not None

    @property
    def is_complete(self) -> bool:
        """Whether every file is on this machine, an instance decoder included."""
        return len(self.paths or ()) == len(self.files)

    @property
    def state(self) -> str:
        """Whether the model is on this machine, in a few words."""
        if self.paths:
            how = "built in" if self.built_in else "installed"
            return how if self.is_complete else f"{how}, but not its instance decoder"
        if self.built_in or not self.present_bytes:
            return "not installed"
        here, whole = self.present_bytes / 1e6, self.size_bytes / 1e6
        return f"partly downloaded, {here:.0f} of {whole:.0f} MB"

    @property
    def is_custom(self) -> bool:
        """Whether the user imported it, rather than somebody having published it."""
        return not self.built_in and self.files[0].url is None

    @property
    def source(self) -> str:
        """A sentence that says where the weights come from."""
        size = f"{self.size_bytes / 1e6:.0f} MB"
        if self.built_in:
            return f"The weights of {self.name} ({size}) come with napari-sam: reinstall it."
        if self.is_custom:
            return f"The weights of {self.name} ({size}) were imported from a file of yours."
        urls = " and ".join(str(file.url) for file in self.files)
        return (
            f"The weights of {self.name} ({size}) are at {urls}: get them with "
            f"'napari-sam models fetch {self.name}' or in the dock Models, or download them "
            "elsewhere and use 'napari-sam models import PATH'."
        )


def built_in_weights(name: str) -> Path:
    """Return where the package keeps the weights of a built-in model."""
    return Path(__file__).with_name(f"{name}.safetensors")


def list_models() -> list[ModelSpec]:
    """Return all models: built-in, official, HQ-SAM, micro-sam, then the user's own."""
    return [built_in(), *published(), *custom()]


def find_model(name: str) -> ModelSpec:
    """Return the model of that name.

    Raises
    ------
    ValueError
        If there is none; names those that there are.
    """
    models = list_models()
    for spec in models:
        if spec.name == name:
            return spec
    names = ", ".join(spec.name for spec in models)
    is_file = str(name).endswith((".pt", ".pth", ".safetensors"))
    hint = " A file of weights is given as checkpoint=PATH." if is_file else ""
    raise ValueError(f"There is no model {name!r}; there are {names}.{hint}")


def built_in() -> ModelSpec:
    """Return the model that comes with the package."""
    path = built_in_weights("nano")
    size_bytes = path.stat().st_size if path.is_file() else 0
    return ModelSpec(
        name="nano",
        description="Cells and nuclei at once on any laptop; small, made for microscopy.",
        architecture="nano",
        licence="BSD-3-Clause",
        files=(WeightFile(path.name, None, size_bytes),),
        built_in=True,
    )


@cache
def published() -> tuple[ModelSpec, ...]:
    """Return the models of ``published.toml``."""
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    specs = []
    for row in tomllib.loads(text)["model"]:
        files = tuple(
            WeightFile(
                name=file["name"],
                url=file["url"],
                size_bytes=file["size_bytes"],
                is_size_exact=file.get("exact", True),
                known_hash=file["hash"],
            )
            for file in row.pop("file")
        )
        specs.append(ModelSpec(**row, files=files))
    return tuple(specs)


def custom() -> list[ModelSpec]:
    """Return the models that the user imported, by name; not those whose record is damaged."""
    specs = []
    for beside in weights_folder().glob("*.json"):
        path = beside.with_suffix("")
        # Using the file says what is wrong.
        with contextlib.suppress(LookupError, OSError, TypeError, ValueError):
            record = read_record(path)
            if record is not None and record.model is not None and path.is_file():
                specs.append(custom_spec(path.name, record))
    return sorted(specs, key=lambda spec: spec.name)


def custom_spec(file_name: str, record: Record) -> ModelSpec:
    """Return the row of a model that the user imported."""
    file = WeightFile(file_name, None, record.size_bytes, known_hash=f"sha256:{record.sha256}")
    model = record.model or {}
    return ModelSpec(
        name=model["name"],
        description=model["description"],
        architecture=model["architecture"],
        licence="not stated",
        files=(file,),
        conversion=model["conversion"],
    )
