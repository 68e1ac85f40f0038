"""Image encoders on the CPU through OpenVINO, which is optional and faster than torch there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from filelock import FileLock
from torch import nn

from napari_sam.model.base import Model
from napari_sam.model.check import hash_of
from napari_sam.model.interrupt import Interrupted, give_way
from napari_sam.model.precision import (
    MIN_AGREEMENT,
    Precision,
    check_precision,
    coin_masks,
    mean_iou,
)
from napari_sam.model.record import converted_folder, make_folder
from napari_sam.model.sam import Sam

if TYPE_CHECKING:
    import openvino

UNUSED_DAYS = 30
"""After so long, what was made of weights that nobody has loaded is removed."""

POLL_MS = 10
"""How often to ask whether an encoding is still wanted."""

HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""Precision → OpenVINO's name for it."""


def is_installed() -> bool:
    """Return whether OpenVINO is."""
    return find_spec("openvino") is not None


def use_openvino(model: Model, precision: Precision = "auto") -> Model:
    """Let OpenVINO run a model's image encoder on the CPU; the decoders stay torch's.

    The first time, the encoder is converted, which takes some seconds and as much disk as its
    weights. Afterwards its torch weights are dropped: they are no longer in `state_dict`, and the
    encoder can't be trained.

    Parameters
    ----------
    model : Model
        On the CPU, read from a file of weights. Its image encoder is replaced.
    precision : {"auto", "float32", "bfloat16"}
        Of the encoder. ``"auto"`` is bfloat16 if the CPU computes with it and the masks stay the
        same (see `choose_precision`), else float32.

    Returns
    -------
    Model
        The same model.

    Raises
    ------
    ValueError
        If OpenVINO is not installed, or the model is not a SAM from a file of weights.
    OSError
        If the converted encoder can't be written.
    """
    check_precision(precision)
    if not is_installed():
        raise ValueError(
            'OpenVINO is not installed. Run pip install "napari-sam[openvino]", or use another '
            'device, such as "cpu".'
        )
    if not isinstance(model, Sam) or model.weights_hash is None:
        raise ValueError(
            f"{model.name} can't run with OpenVINO; expected a SAM that was read from a file of "
            'weights. Use another device, such as "cpu".'
        )
    form = converted(model.image_encoder, model.image_size, model.weights_hash)
    if precision == "auto":
        precision = choose_precision(model, form)
    model.image_encoder = OpenVINOEncoder(form, precision)  # frees the torch weights
    return model


def try_openvino(model: Model, precision: Precision = "auto") -> bool:
    """Do `use_openvino` where it is possible, and return whether it was.

    If OpenVINO itself fails, which a warning tells, the encoder stays torch's.
    """
    is_possible = is_installed() and isinstance(model, Sam) and model.weights_hash is not None
    try:
        return is_possible and use_openvino(model, precision) is model
    except OSError:  # no place for the converted encoder
        return False
    except Exception as error:  # its kinds of errors, and those of torch's export, are many
        reason = str(error).partition("\n")[0]
        warnings.warn(
            f"OpenVINO does not run {model.name}, which goes on more slowly without it: {reason}",
            stacklevel=3,
        )
        return isinstance(model.image_encoder, OpenVINOEncoder)


class OpenVINOEncoder(nn.Module):
    """An image encoder that OpenVINO runs on the CPU; `forward` is that of the converted encoder.

    It has no parameters and no state: the weights are OpenVINO's. It stays on the CPU wherever the
    rest of the network is moved. Calls from several threads take turns.

    Parameters
    ----------
    form : Path
        What `converted` returns.
    precision : {"float32", "bfloat16"}
        Of the computation; what comes out is float32.
    n_threads : int, optional
        By default, OpenVINO takes what the machine has.

    Raises
    ------
    RuntimeError
        If OpenVINO can't read the form.
    """

    def __init__(
        self,
        form: Path,
        precision: Literal["float32", "bfloat16"] = "float32",
        n_threads: int | None = None,
    ) -> None:
        super().__init__()
        import openvino

        settings: dict[str, object] = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
        if n_threads is not None:
            settings["INFERENCE_NUM_THREADS"] = n_threads
        compiled = openvino.Core().compile_model(form / "encoder.xml", "CPU", settings)
        self.precision: Literal["float32", "bfloat16"] = precision
        self.image_size: int = compiled.input(0).shape[-1]
        self.output_shapes = [tuple(output.shape[1:]) for output in compiled.outputs]
        self.request = compiled.create_infer_request()
        self.lock = threading.Lock()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed (B, 3, image_size, image_size) normalized images, one after the other.

        Returns
        -------
        embedding, early : torch.Tensor
            (B, C, h, w) float32 on the CPU.
        """
        images = images.detach().cpu().float().contiguous()
        embedding, early = (torch.empty(len(images), *shape) for shape in self.output_shapes)
        with self.lock:
            for i in range(len(images)):
                self.request.set_input_tensor(0, share(images[i : i + 1]))
                self.request.set_output_tensor(0, share(embedding[i : i + 1]))
                self.request.set_output_tensor(1, share(early[i : i + 1]))
                self.infer()
        return embedding, early

    def infer(self) -> None:
        """Run the request, unless it becomes unwanted (`interruptible`)."""
        self.request.start_async()
        try:
            while not self.request.wait_for(POLL_MS):
                give_way()
        except Interrupted:
            self.request.cancel()
            with contextlib.suppress(RuntimeError):  # its own way to say that it was canceled
                self.request.wait()
            raise


def share(x: torch.Tensor) -> openvino.Tensor:
    """Let OpenVINO use a contiguous tensor's memory."""
    import openvino

    return openvino.Tensor(x.numpy(), shared_memory=True)


def converted(encoder: nn.Module, image_size: int, weights_hash: str) -> Path:
    """Return the folder with OpenVINO's form of an image encoder; convert it if there is none.

    The form holds the weights as they are, float32, and is kept beside the files of weights. It is
    made anew if it is damaged, or was made by another version of this package or of OpenVINO, and
    removed some time after its last use.

    Parameters
    ----------
    encoder : nn.Module
        On the CPU, in evaluation mode.
    image_size : int
        Side of its input, in samples.
    weights_hash : str
        What identifies its weights.

    Raises
    ------
    OSError
        If the form can't be written.
    """
    folder = converted_folder(weights_hash)
    form = folder / f"{version('napari-sam')} {version('openvino')}"
    if is_whole(form):
        with contextlib.suppress(OSError):  # others may keep it, and let us only read
            os.utime(form)
        return form
    make_folder()
    remove_unused(folder.parent)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):  # another process may be about to do the same
        if not is_whole(form):
            for unusable in folder.iterdir():  # damaged, outdated, or given up while half-written
                shutil.rmtree(unusable, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as part:
                convert(encoder, image_size, Path(part) / form.name)
                (Path(part) / form.name).replace(form)
    return form


def remove_unused(folder: Path) -> None:
    """Remove the forms that nobody has used for `UNUSED_DAYS`.

    Those of installed models also go with their model; other weights were loaded from elsewhere.
    """
    for form in folder.glob("*/*"):
        with contextlib.suppress(OSError):
            if time.time() - form.stat().st_mtime > UNUSED_DAYS * 24 * 60 * 60:
                shutil.rmtree(form)


def convert(encoder: nn.Module, image_size: int, form: Path) -> None:
    """Convert an image encoder, and write the form with its checksums.

    As `openvino.convert_model`, which would also report to its makers over the network.
    """
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder
    from openvino.frontend.pytorch.torchdynamo.export_decompositions import ops_to_not_decompose

    example = torch.zeros(1, 3, image_size, image_size)
    with warnings.catch_warnings(action="ignore"):  # torch deprecates what it uses itself
        # Follows the shapes and computes nothing, unlike tracing.
        program = torch.export.export(encoder, (example,), strict=False)
        to_decompose = torch.export.default_decompositions()
        for operation in ops_to_not_decompose():
            with contextlib.suppress(KeyError):
                to_decompose.pop(operation)
        graph = program.run_decompositions(to_decompose).module()
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchFXPythonDecoder(graph)  # must outlive the conversion
    model = frontend.convert(frontend.load(decoder))
    model.reshape(list(example.shape))
    openvino.save_model(model, form / "encoder.xml", compress_to_fp16=False)
    (form / "sha256").write_text(checksums(form))


def is_whole(form: Path) -> bool:
    """Return whether a form is there as it was written."""
    with contextlib.suppress(OSError):
        return (form / "sha256").read_text() == checksums(form)
    return False


def checksums(form: Path) -> str:
    """Return the SHA-256 of both files of a form."""
    return "\n".join(hash_of(form / name) for name in ("encoder.xml", "encoder.bin"))


def choose_precision(model: Sam, form: Path) -> Literal["float32", "bfloat16"]:
    """Return bfloat16 if the CPU computes with it and masks stay the same, else float32.

    They stay the same if their mean IoU with those of float32 is at least `MIN_AGREEMENT`, in a
    photograph of coins. The answer is kept with the form.

    Parameters
    ----------
    model : Sam
        Whose encoder is the form; it is replaced if masks have to be compared.
    form : Path
        What `converted` returned.
    """
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "float32"
    noted = form / "bfloat16 IoU"
    try:
        iou = float(noted.read_text())
    except (OSError, ValueError):
        model.image_encoder = OpenVINOEncoder(form)
        expected = coin_masks(model)
        model.image_encoder = OpenVINOEncoder(form, "bfloat16")
        iou = mean_iou(coin_masks(model), expected)
        with contextlib.suppress(OSError):
            noted.write_text(str(iou))
    return "bfloat16" if iou >= MIN_AGREEMENT else "float32"
