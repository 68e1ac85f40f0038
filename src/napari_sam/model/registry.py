"""The models that there are, and where their weights are; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
        SPDX identifier of the licence of the weights.
    size_bytes : int
        Size of the file of weights.
    url, sha256 : str, optional
        Where the published file is, and its hash as 64 hexadecimal digits.
    built_in : bool
        Whether the weights come with this package.
    """

    name: str
    description: str
    architecture: str
    licence: str
    size_bytes: int
    url: str | None = None
    sha256: str | None = None
    built_in: bool = False

    @property
    def weights(self) -> Path | None:
        """The file of weights on this machine, or None."""
        path = built_in_weights(self.name)
        return path if self.built_in and path.is_file() else None

    @property
    def installed(self) -> bool:
        """Whether the model can be loaded by its name alone."""
        return self.weights is not None

    @property
    def source(self) -> str:
        """A sentence that says where the weights come from."""
        megabytes = f"{self.size_bytes / 1e6:.0f} MB"
        if self.built_in:
            return f"The weights of {self.name} ({megabytes}) come with napari-sam: reinstall it."
        return (
            f"The weights of {self.name} ({megabytes}) are at {self.url}: download them and pass "
            f'load_model("{self.name}", checkpoint="path/to/the/file").'
        )


def built_in_weights(name: str) -> Path:
    """Return where the package keeps the weights of a built-in model."""
    return Path(__file__).with_name(f"{name}.safetensors")


def list_models() -> list[ModelSpec]:
    """Return all models, the built-in one first."""
    nano = built_in_weights("nano")
    return [
        ModelSpec(
            name="nano",
            description="Cells and nuclei at once on any laptop; small, made for microscopy.",
            architecture="nano",
            licence="BSD-3-Clause",
            size_bytes=nano.stat().st_size if nano.is_file() else 0,
            built_in=True,
        ),
        ModelSpec(
            name="vit_b",
            description="Segment Anything, base: general purpose, the fastest of the three.",
            architecture="vit_b",
            licence="Apache-2.0",
            size_bytes=375_042_383,
            url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        ModelSpec(
            name="vit_l",
            description="Segment Anything, large: general purpose, three times the work of vit_b.",
            architecture="vit_l",
            licence="Apache-2.0",
            size_bytes=1_249_524_607,
            url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth",
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        ModelSpec(
            name="vit_h",
            description="Segment Anything, huge: the best of the three, made for a GPU.",
            architecture="vit_h",
            licence="Apache-2.0",
            size_bytes=2_564_550_879,
            url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth",
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
    ]


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
    raise ValueError(f"There is no model {name!r}; there are {names}.")
