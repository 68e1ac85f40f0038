"""All candidates of what is on screen: found tile by tile, in a thread."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.write_table import new_rows
from napari_sam.masks.knobs import Knobs, Thresholds
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets.automatic_how import How
from napari_sam.widgets.predictor import Predictor
from napari_sam.widgets.recipe import call_text
from napari_sam.widgets.thinning import longest_side, thinned

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings, TileGrid
    from napari_sam.segment.settings import FindSettings

Box = tuple[float, float, float, float]

MOST_TILES = 12
"""In one preview; more of them would let the user wait, and show little of each object."""

GRID_MARGIN = 0.15
"""How far below what suits the model a grid keeps candidates, for the knobs to choose from."""

SEAM_SAMPLES = 8
"""So far beyond its core a tile may have the middle of an object; of two alike, one is dropped."""

SIDE_PX = 2048
"""Longest side of the picture of the candidates."""

ENOUGH = 0.5
"""So much of a tile tells what a whole one takes."""

TELL_S = 0.7
"""How often candidates are shown while more of them are being found, at most."""

POINTS_S = 0.2
"""How often it is told how many points have been asked, at most."""


@dataclass(frozen=True)
class Cost:
    """What tiles took.

    Attributes
    ----------
    encode_s : float or None
        Seconds to encode one; None if none had to be encoded.
    find_s : float
        Seconds to find the objects of all of them, once encoded.
    """

    encode_s: float | None
    find_s: float


@dataclass(frozen=True, eq=False)
class Found:
    """Candidates on screen; complete in itself.

    Attributes
    ----------
    finding : Finding
        The question.
    settings : FindSettings
        All of them filled in.
    table : MaskTable
        Every candidate, in level-0 pixels.
    shown : MaskTable
        The same rows, drawn smaller by `thinning`: for the picture.
    thinning : int
        Level-0 pixels per pixel of the picture.
    knobs : Knobs
        Of the table.
    floors : Thresholds
        Lower than these, there are no candidates.
    n_tiles, n_wanted, n_on_screen : int
        Tiles that were searched, were to be searched, and are on screen.
    share : float
        Tiles that were searched, where only the part of one that is on screen counts.
    n_px : float
        Level-0 pixels that were searched.
    core : (y0, x0, y1, x1)
        Of the tile in the middle of the screen.
    cost : Cost
        As measured.
    """

    finding: Finding
    settings: FindSettings
    table: MaskTable
    shown: MaskTable
    thinning: int
    knobs: Knobs
    floors: Thresholds
    n_tiles: int
    n_wanted: int
    n_on_screen: int
    share: float
    n_px: float
    core: Box
    cost: Cost

    @property
    def tells_of_a_tile(self) -> bool:
        """Whether enough was searched to tell what a whole tile takes."""
        return self.share >= ENOUGH

    @cached_property
    def of_a_tile(self) -> Found:
        """What tells of a whole tile: this; or what is found in one, which takes its time."""
        if self.tells_of_a_tile:
            return self
        return replace(self.finding, screen=self.core).find()

    @property
    def defaults(self) -> Thresholds:
        """The thresholds that suit the mode and the model."""
        settings = self.settings
        _, overlap = settings.suppression
        return Thresholds(settings.pred_iou or 0, settings.stability or 0, overlap=overlap)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for has been searched."""
        return self.n_tiles == self.n_wanted


@dataclass(frozen=True)
class Searching:
    """How far a search is, in tiles or points."""

    n_done: int
    n_wanted: int
    unit: Literal["tiles", "points"] = "tiles"


@dataclass(frozen=True, eq=False)
class Finding:
    """The work of finding all candidates in a part of a plane, for a `Lane`.

    Attributes
    ----------
    predictor : Predictor
        Image and model.
    plane : tuple of int
        Of the image.
    screen : (y0, x0, y1, x1)
        What is on screen, in level-0 pixels; may reach out of the image.
    pixel : float
        Pixels of the screen per pixel of the image.
    how : How
        Objects are looked for.
    kept : labels array, optional
        What lies on its objects is left out.
    labels_state : tuple
        Of the session: what is found is found again as long as that is the same.
    """

    predictor: Predictor
    plane: tuple[int, ...]
    screen: Box
    pixel: float
    how: How
    kept: Any = None
    labels_state: tuple[object, ...] = ()
    _is_stopped: Event = field(default_factory=Event, repr=False)

    def stop(self) -> None:
        """End after the tile that is being searched; what was found is still told."""
        self._is_stopped.set()

    def find(self) -> Found:
        """Return what is found, at once."""
        *_, found = self.iter_answer()
        if not isinstance(found, Found):
            raise ValueError("Nothing could be searched: the image is not open.")
        return found

    def answer(self, thresholds: Thresholds | None = None) -> MaskTable:
        """Return the candidates that pass thresholds; by default, those that suit the model."""
        found = self.find()
        passed = found.defaults if thresholds is None else thresholds
        return found.table.select(found.knobs.rows(passed))

    def as_python(self, thresholds: Thresholds) -> str:
        """Return the command of a session that finds the same."""
        how = self.how
        return call_text(
            "session.find",
            self.screen,
            pixel=self.pixel,
            plane=self.plane or None,
            mode=how.mode,
            points_per_side=how.points_per_side,
            step=how.step,
            thresholds=thresholds,
        )

    def iter_answer(self) -> Iterator[str | Searching | Found]:
        """Yield what is being done, how far it is, and what was found: more and more of it."""
        yield from self.predictor.iter_answer()
        embeddings = self.predictor.embeddings
        if embeddings is None:
            return
        search = _Search(self, embeddings)
        told = time.monotonic()
        for searching in search:
            yield searching
            n_tiles = search.n_searched
            if not n_tiles:
                continue
            is_last = n_tiles == search.n_wanted or self._is_stopped.is_set()
            if is_last or time.monotonic() > told + TELL_S:
                yield search.found()
                told = time.monotonic()
            if is_last:
                return


class _Search:
    """One search: iterate, tile by tile."""

    def __init__(self, finding: Finding, embeddings: Embeddings) -> None:
        self._finding, self._embeddings = finding, embeddings
        self.settings = finding.how.settings().resolved(embeddings.model, embeddings.base_step)
        if self.settings.exact:
            from napari_sam.segment.exact import check_exact

            check_exact(embeddings)
        grid = embeddings.grid(finding.how.tile_step(embeddings))
        rows, columns = grid.tiles_in(_inner(finding.screen))
        if not rows:
            raise ValueError("The image is not on screen: press the house below to see it all.")
        middle = np.reshape(finding.screen, (2, 2)).mean(axis=0)
        tiles = [(row, column) for row in rows for column in columns]
        tiles.sort(key=lambda tile: np.hypot(*(_middle(grid.core(*tile)) - middle)))
        self.n_on_screen, self.n_wanted = len(tiles), min(len(tiles), MOST_TILES)
        self._grid, self._tiles = grid, tiles[:MOST_TILES]
        self._tables: list[MaskTable] = []
        self._encode_s: list[float] = []
        self._find_s: list[float] = []
        self._shares: list[float] = []
        self._n_px = 0.0

    @property
    def n_searched(self) -> int:
        """How many tiles are done."""
        return len(self._tables)

    def __iter__(self) -> Iterator[Searching]:
        embeddings, finding = self._embeddings, self._finding
        for row, column in self._tiles:
            window = self._grid.window(row, column, finding.plane)
            start = time.monotonic()
            if not self.settings.exact and not embeddings.is_encoded(window):
                embeddings.features(window)
                self._encode_s.append(time.monotonic() - start)
                start = time.monotonic()
            reach = np.array([-1, -1, 1, 1]) * SEAM_SAMPLES * self._grid.step
            core = self._grid.core(row, column)
            within = core if self.settings.exact else _shared(core, finding.screen)
            table = yield from self._iter_candidates((row, column))
            self._tables.append(table.select(_are_in(table, within + reach)))
            self._find_s.append(time.monotonic() - start)
            self._shares.append(_area(within) / _area(core))
            self._n_px += _area(within)
            yield Searching(self.n_searched, self.n_wanted)

    def _iter_candidates(self, tile: tuple[int, int]) -> Generator[Searching, None, MaskTable]:
        if not self.settings.exact:
            return tile_candidates(self._embeddings, self._grid, tile, self.settings, self._finding)
        return (yield from self._iter_plane())

    def _iter_plane(self) -> Generator[Searching, None, MaskTable]:
        """Return the candidates of the whole plane; yield how many points have been asked."""
        from napari_sam.segment.exact import iter_exact_candidates
        from napari_sam.segment.returned import Returning

        settings = self.settings
        iou = max(0.0, (settings.pred_iou or 0) - GRID_MARGIN)
        stability = max(0.0, (settings.stability or 0) - GRID_MARGIN)
        lower = replace(settings, pred_iou=iou, stability=stability)
        asking = Returning(iter_exact_candidates(self._embeddings, self._finding.plane, lower))
        told = time.monotonic()
        for n_asked in itertools.accumulate(asking):
            if time.monotonic() > told + POINTS_S:
                yield Searching(n_asked, settings.points_per_side**2, "points")
                told = time.monotonic()
        return asking.value

    def found(self) -> Found:
        """Return what was found so far."""
        finding, settings = self._finding, self.settings
        table = MaskTable.concatenate(self._tables)
        if finding.kept is not None and len(table):
            table = table.select(new_rows(finding.kept, table, plane=finding.plane))
        thinning = max(1, int(1 / finding.pixel), -(-longest_side(table) // SIDE_PX))
        measure, overlap = settings.suppression
        table = replace(table, accepted=np.array([settings.pred_iou or 0, settings.stability or 0]))
        knobs = Knobs(table, measure)
        knobs.rows(Thresholds(0, 0, overlap=overlap))  # counts pixels now, not later
        encode_s = float(np.mean(self._encode_s)) if self._encode_s else None
        encode_s = 0.0 if settings.exact else encode_s  # each look includes it
        return Found(
            finding,
            settings,
            table,
            thinned(table, thinning),
            thinning,
            knobs,
            self._floors(),
            len(self._tables),
            self.n_wanted,
            self.n_on_screen,
            sum(self._shares),
            self._n_px,
            self._grid.core(*self._tiles[0]),
            Cost(encode_s, sum(self._find_s)),
        )

    def _floors(self) -> Thresholds:
        model, settings = self._embeddings.model, self.settings
        if settings.mode == "grid":
            return Thresholds(
                max(0.0, model.accepted_iou - GRID_MARGIN),
                max(0.0, model.accepted_stability - GRID_MARGIN),
            )
        return Thresholds(settings.score if settings.mode == "watershed" else 0, 0)


def tile_candidates(
    embeddings: Embeddings,
    grid: TileGrid,
    tile: tuple[int, int],
    settings: FindSettings,
    finding: Finding,
) -> MaskTable:
    """Return the candidates of one tile, none of them dropped for the sake of a threshold."""
    from napari_sam.segment.find import FINDERS
    from napari_sam.segment.grid import window_masks

    window = grid.window(*tile, finding.plane)
    if settings.mode != "grid":
        all_of_them = replace(settings, overlap=1.0)
        return FINDERS[settings.mode or "seeds"](embeddings, window, all_of_them, None, None)
    anything = replace(settings, pred_iou=None, stability=None, max_area=None)
    return window_masks(
        embeddings.model,
        embeddings.features(window),
        window,
        embeddings.image.shape_yx,
        replace(anything.for_grid(), margin=GRID_MARGIN),
        within=_shared(grid.core(*tile), finding.screen),
        tile=tile,
    )


def _are_in(table: MaskTable, box: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which masks have the middle of their box in another box."""
    middles = (table.boxes[:, :2] + table.boxes[:, 2:]) / 2
    inside: NDArray[np.bool_] = np.all((middles >= box[:2]) & (middles < box[2:]), axis=1)
    return inside


def _middle(box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = np.reshape(box, (2, 2)).mean(axis=0)
    return middle


def _shared(core: tuple[int, int, int, int], screen: Box) -> Box:
    y0, x0 = np.maximum(core[:2], screen[:2]).tolist()
    y1, x1 = np.minimum(core[2:], screen[2:]).tolist()
    return y0, x0, y1, x1


def _area(box: Box) -> float:
    y0, x0, y1, x1 = box
    return (y1 - y0) * (x1 - x0)


def _inner(screen: Box) -> Box:
    """Return edges as what lies just inside of them, in coordinates of pixel centers."""
    y0, x0, y1, x1 = screen
    return y0, x0, y1 - 1e-6, x1 - 1e-6
