"""What a run was made from, written beside its results, so that it can be continued or repeated."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_sam.embedding.key import StoreKey
from napari_sam.image.image import Image
from napari_sam.labels.array import LabelsArray
from napari_sam.labels.ome_zarr import JOURNAL
from napari_sam.model.computing import backend_of
from napari_sam.model.precision import upscaling_dtype
from napari_sam.segment.run import Run

_COMPUTING = ("numpy", "scipy", "scikit-image", "torch", "zarr")

_NAMES = {
    "package": "the version of napari-sam",
    "image": "the path of the image",
    "checkpoint": "the path of the weights",
    "key": "the image or the model",
    "settings": "the settings",
    "planes": "the planes",
    "region": "the region",
    "keep": "the labels to keep",
    "keep_state": "what the labels to keep hold",
}


def describe_run(run: Run) -> dict[str, Any]:
    """Return what the result of a run depends on, as JSON holds it.

    Entries: ``package`` (version), ``image`` (path, or None if it is in memory), ``checkpoint``
    (path of the weights, or None if they are installed), ``key`` (`StoreKey`: shape, sampled hash
    and normalization of the image, name and hash of the model's weights, halo, precision of the
    image encoder), ``precision`` (that once more), ``settings`` (`SegmentSettings`), ``planes``,
    ``region`` (vertices), ``keep`` (path of the labels to keep, or None if they are in memory),
    ``keep_state`` (a hash of them, on disk of the names, sizes and times of their files) and
    ``made_with`` (see `describe_computing`; a run can be continued with others).
    """
    embeddings = run.embeddings
    store, model = embeddings.store, embeddings.model
    key = store.key if store else StoreKey.of(embeddings.image, model, embeddings.halo)
    entries = {
        "package": version("napari-sam"),
        "image": image_path(embeddings.image),
        "checkpoint": str(model.checkpoint.absolute()) if model.checkpoint else None,
        "key": key.to_dict(),
        "precision": key.precision,
        "settings": run.settings.to_dict(),
        "planes": run.planes,
        "region": run.region and run.region.vertices,
        "keep": array_path(run.keep),
        "keep_state": None if run.keep is None else _hash_labels(run.keep),
        "made_with": describe_computing(run),
    }
    return dict(json.loads(json.dumps(entries)))


def describe_computing(run: Run) -> dict[str, str | None]:
    """Return what the last digits of a result depend on.

    Versions; ``device``, the kind of it; ``backend``, what runs the image encoder; ``upscaling``,
    the precision of the last step of masks at the points of a grid; ``stored``, that of features in
    the store that they go through, if any. Workers of a cluster choose their own device and
    backend.
    """
    model, find, store = run.embeddings.model, run.settings.find, run.embeddings.store
    is_fast_grid = find.mode == "grid" and not find.exact
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _COMPUTING},
        "device": model.device.type,
        "backend": backend_of(model),
        "openvino": version("openvino") if backend_of(model) == "openvino" else None,
        "upscaling": str(upscaling_dtype(model)).partition(".")[2] if is_fast_grid else None,
        "stored": store.dtype if store and not find.exact else None,
    }


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Say of each part of a record that differs what was found, and what was expected."""
    parts = []
    for name, meaning in _NAMES.items():
        one, two = found.get(name), expected[name]
        if one == two:
            continue
        if name == "key":
            parts += StoreKey.from_dict(one or {}).differences(StoreKey.from_dict(two))
        elif name == "settings":
            parts += _setting_differences(one or {}, two)
        else:
            parts.append(f"{meaning} (found {_short(one)}, expected {_short(two)})")
    return parts


def image_path(image: Image) -> str | None:
    """Return where an image is on disk or on the net; None if it is in memory."""
    if image.name.startswith("file://"):
        return url2pathname(urlsplit(image.name).path)
    if "://" in image.name or Path(image.name).exists():
        return image.name
    return next(iter(array_paths(image)), None)


def array_paths(image: Image) -> list[str]:
    """Return where the arrays of an image's levels are on disk, as far as they tell."""
    arrays = [level.array for level in image.levels]
    found = [array_path(array) for array in arrays]
    return [path for path in found if path is not None]


def array_path(array: Any) -> str | None:
    """Return where an array is on disk, if it is a zarr array or a mapped file."""
    if isinstance(array, zarr.Array) and isinstance(array.store, LocalStore):
        return str((Path(array.store.root) / array.path).absolute())
    return (
        str(Path(array.filename).absolute())
        if isinstance(array, np.memmap) and array.filename
        else None
    )


def _hash_labels(labels: LabelsArray) -> str:
    """Return a hash that another object changes; labels on disk are not read for it."""
    if path := array_path(labels):
        return _hash_files(Path(path))
    digest = hashlib.sha256(f"{labels.dtype} {labels.shape}".encode())
    for plane in np.ndindex(*labels.shape[:-2]):
        digest.update(np.ascontiguousarray(labels[plane]).tobytes())
    return digest.hexdigest()


def _hash_files(path: Path) -> str:
    """Return a hash of names, sizes and times of the files of an array, or of its one file."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and file.name != JOURNAL:  # that of the objects changes no pixel
            state = file.stat()
            digest.update(
                f"{file.relative_to(path)} {state.st_size} {state.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()


def _setting_differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    flat = [_flat(entries) for entries in (found, expected)]
    return [
        f"the setting {name} (found {one}, expected {two})"
        for name in sorted(flat[0].keys() | flat[1].keys())
        if (one := flat[0].get(name)) != (two := flat[1].get(name))
    ]


def _flat(entries: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        flat |= {f"{name}.{key}".strip("."): one for key, one in inner.items()}
    return flat


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
