"""The command ``napari-sam embed``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam.cli.mistakes import check_there, told_as_mistakes
from napari_sam.cli.options import Checkpoint, ModelName, Precision

if TYPE_CHECKING:
    from distributed import Client

    from napari_sam.embedding import Embeddings
    from napari_sam.embedding.forecast import Forecast

CONNECT_SECONDS = 10


def embed(
    image: Annotated[str, typer.Argument(help="Path or URL of a zarr, a TIFF or an npy file.")],
    store: Annotated[Path, typer.Option(help="Folder to fill; one found there goes on.")],
    model: ModelName = None,
    checkpoint: Checkpoint = None,
    planes: Annotated[
        str | None,
        typer.Option(help="A number or a range for each of t and z: 5, 0:10, 3,0:10. Else all."),
    ] = None,
    step: Annotated[
        list[float] | None, typer.Option(help="Pixels per sample: 1, 2, 4, …; several may be given")
    ] = None,
    axes: Annotated[str | None, typer.Option(help="Of the image, such as tczyx.")] = None,
    series: Annotated[
        int | None, typer.Option(min=0, help="Of a file of several images: which one.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="Number or name; three are red, green, blue.")
    ] = None,
    level: Annotated[
        int, typer.Option(min=0, help="Of a pyramid: this level of the file is the image.")
    ] = 0,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, …; the workers of a scheduler choose their own.")
    ] = "auto",
    precision: Precision = "auto",
    scheduler: Annotated[
        str | None, typer.Option(help="Of a dask cluster, such as tcp://10.0.0.1:8786.")
    ] = None,
    forecast: Annotated[
        bool,
        typer.Option(
            "--forecast", help="Only tell what it takes, by the first tile; no store is made."
        ),
    ] = False,
) -> None:
    """Encode an image ahead of time, so that every click is answered from disk.

    Stopped or killed, the same command goes on.
    """
    from napari_sam.embedding import Embeddings
    from napari_sam.embedding.store_metadata import check_place, has_store
    from napari_sam.image import open_image
    from napari_sam.image.window import is_power_of_two
    from napari_sam.model import load_model

    if wrong := [one for one in step or () if not is_power_of_two(one)]:
        raise typer.BadParameter(f"--step is a power of two such as 0.5, 1 or 2, found {wrong[0]}.")
    with told_as_mistakes():
        check_there(image)
        check_place(store)
        network = load_model(model, checkpoint=checkpoint, device=device, precision=precision)
    try:
        opened = open_image(
            image, axes=axes, series=series, channels=parse_channels(channel), level=level
        )
    except (ImportError, TypeError) as error:
        raise ValueError(str(error)) from error
    chosen = parse_planes(planes, opened.plane_shape)
    is_only_told = forecast and not has_store(store)
    try:
        with connected(scheduler) as client:
            embeddings = Embeddings(opened, network, store=None if is_only_told else store)
            steps = step or [embeddings.base_step]
            n_threads = sum(client.nthreads().values()) if client else 1
            ahead = foretell(embeddings, store, chosen, steps, n_threads)
            typer.echo(str(ahead or "All tiles are stored."))
            if ahead and ahead.n_missing and not forecast:
                fill(embeddings, chosen, steps, client, ahead)
    except KeyboardInterrupt:
        typer.echo("Stopped. What is stored stays: the same command goes on from here.", err=True)
        raise typer.Exit(130) from None


def fill(
    embeddings: Embeddings,
    planes: list[tuple[int, ...]],
    steps: list[float],
    client: Client | None,
    ahead: Forecast,
) -> None:
    """Store all tiles."""
    from tqdm import tqdm

    if not ahead.fits:
        raise ValueError("The disk is too small: choose fewer planes, or a larger --step.")
    with (
        closing(embeddings.iter_compute(planes, steps=steps, client=client)) as run,
        tqdm(
            total=ahead.n_tiles,
            initial=ahead.n_tiles - ahead.n_missing,
            unit=" tiles",
            disable=None,  # only in a terminal
        ) as bar,
    ):
        for progress in run:
            bar.update(progress.n_done - bar.n)
    typer.echo("All tiles are stored.")


def foretell(
    embeddings: Embeddings,
    path: Path,
    planes: list[tuple[int, ...]],
    steps: list[float],
    n_threads: int,
) -> Forecast | None:
    """Encode the first tile, and tell what those that are missing take; None if none is.

    It is stored, if there is a store.
    """
    from napari_sam.embedding.forecast import forecast
    from napari_sam.embedding.selection import Selection

    wanted, store = Selection(embeddings, planes, steps), embeddings.store
    n_missing = wanted.n_tiles - wanted.count_encoded()
    if (first := next(wanted.iter_missing(), None)) is None:
        return None
    started = time.perf_counter()
    if store:
        n_missing -= embeddings.store_tile(first)
    features = embeddings.features(first)
    return forecast(
        wanted.n_tiles,
        n_missing,
        path.absolute(),
        features=features,
        dtype=store.dtype if store else "float16",
        seconds_per_tile=(time.perf_counter() - started) / max(n_threads, 1),
    )


def parse_planes(text: str | None, plane_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the planes that ``"5"``, ``"0:10"`` or ``"3,0:10"`` mean; None means all.

    Raises
    ------
    ValueError
        If it is not one number or range for each axis in front of y and x, or reaches outside.
    """
    parts = [":"] * len(plane_shape) if text is None else text.split(",")
    expected = ", ".join(f"0:{length}" for length in plane_shape) or "none, for it is 2-D"
    try:
        ranges = [_range(*pair) for pair in zip(parts, plane_shape, strict=True)]
    except ValueError as error:
        raise ValueError(
            f"--planes {text} does not fit the image: expected a number or a range such as 0:10 "
            f"for each axis in front of rows and columns. There are {expected}."
        ) from error
    return list(itertools.product(*ranges))


def _range(part: str, length: int) -> range:
    start, colon, stop = part.partition(":")
    found = range(int(start or 0), int(stop or length) if colon else int(start) + 1)
    if not (0 <= found.start < found.stop <= length):
        raise ValueError
    return found


def parse_channels(given: list[str] | None) -> int | str | list[int | str] | None:
    """Return channels as `open_image` takes them; what is all digits is a number."""
    if not given:
        return None
    parsed = [int(one) if one.isdigit() else one for one in given]
    return parsed[0] if len(parsed) == 1 else parsed


@contextmanager
def connected(scheduler: str | None) -> Iterator[Client | None]:
    """Connect to a dask cluster, if there is an address.

    Raises
    ------
    typer.BadParameter
        If dask.distributed is not installed, or the scheduler does not answer.
    """
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise typer.BadParameter(
            f"--scheduler needs packages that are not installed ({error}): "
            f'pip install "napari-sam[cluster]".'
        ) from error
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"There is no dask scheduler at {scheduler} ({error}): check the address, and whether "
            f"it runs."
        ) from error
    with client:
        if not client.nthreads():
            typer.echo("The cluster has no workers yet; they can join at any time.", err=True)
        yield client
