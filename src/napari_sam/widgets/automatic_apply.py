"""The lower part of the *Automatic* dock: the same for a plane, a stack or a region."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from napari.layers import Labels, Shapes
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam.labels import LabelsPyramid
from napari_sam.widgets.ahead import Ahead
from napari_sam.widgets.automatic_forecast import Foretelling, RunForecast
from napari_sam.widgets.automatic_run import Applying, as_image, region_of, stage_text
from napari_sam.widgets.automatic_scope import Scope, scopes
from napari_sam.widgets.insert_layer import insert_layer
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.layers import current_plane, placement
from napari_sam.widgets.rows import side_by_side
from napari_sam.widgets.sentences import Sentences

if TYPE_CHECKING:
    from napari_sam.image import Image
    from napari_sam.segment.output import Existing
    from napari_sam.widgets.automatic_preview import AutomaticPreview
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.scene import Scene

LOOK_MS = 400
"""How often it is looked whether there is something new to forecast."""

LEAST_LETTERS = 4
"""Of what is chosen; so a dock is no wider than another, and the canvas need not be drawn anew."""

SCOPE_TIP = "What to segment. Where it does not say all, it is what the sliders show."
REGION_TIP = "Only objects in the selected shape of a Shapes layer, or in its last one."
REPLACE_TIP = "What is there was made with other settings: make it anew with these."
OUT_TIP = "Choose the folder that the labels are written to, an OME-Zarr."
APPLY_TIP = "Segment, with the settings above; may be stopped at any moment and gone on with later."


class AutomaticApply(QWidget):
    """Segments what is too large to be previewed, into a file.

    Parameters
    ----------
    scene : Scene
        Of the viewer.
    preview : AutomaticPreview
        Whose settings are applied.
    ahead : Ahead
        Tells what encoding takes.
    lanes : (Lane, Lane)
        In which it is done, and forecast.
    links : Links
        Cut when the dock is closed.
    """

    progressed = Signal(int, int)
    said = Signal(str)

    def __init__(
        self,
        scene: Scene,
        preview: AutomaticPreview,
        ahead: Ahead,
        lanes: tuple[Lane, Lane],
        links: Links,
    ) -> None:
        super().__init__()
        self._scene, self._session, self._preview = scene, scene.session, preview
        self._ahead = ahead
        self._lane, self._for_forecasts = lanes
        self._applying: Applying | None = None
        self._image_layer: Any = None
        self._out: Path | None = None
        self._asked: Any = None
        self._warning = ""
        self._build()
        self._timer = QTimer(self)
        self._timer.start(LOOK_MS)
        self._link(links)
        self._show()

    # The parts

    def _build(self) -> None:
        self._scope, self._region = QComboBox(), QComboBox()
        for combo in (self._scope, self._region):  # a name of a layer may be long
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.setMinimumContentsLength(LEAST_LETTERS)
        self._scope.setToolTip(SCOPE_TIP)
        self._region.setToolTip(REGION_TIP)
        self._forecast = Sentences(3)
        self._out_text = self._cost_text = ""
        self._choose, self._apply = QPushButton("Folder …"), QPushButton("Apply")
        self._choose.setToolTip(OUT_TIP)
        self._apply.setToolTip(APPLY_TIP)
        self._replace = QPushButton("Replace")
        self._replace.setToolTip(REPLACE_TIP)
        self._replace.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(QLabel("<b>Apply to</b>"))
        column.addLayout(side_by_side(self._scope, self._region))
        column.addWidget(self._forecast)
        column.addLayout(side_by_side(self._choose, self._replace, self._apply))

    def _link(self, links: Links) -> None:
        layers = self._session.viewer.layers
        links.add(self._session.layers_changed, self._show)
        for event in ("inserted", "removed", "renamed"):
            links.add(getattr(layers.events, event), self._show)
        self._timer.timeout.connect(self._foretell)
        self._for_forecasts.progressed.connect(self._on_trial)
        self._for_forecasts.answered.connect(self._on_forecast)
        self._for_forecasts.failed.connect(self._on_no_forecast)
        self._lane.answered.connect(self._on_answer)
        self._lane.warned.connect(self._on_warned)
        self._lane.failed.connect(self._on_failed)
        self._lane.idle.connect(self._on_idle)
        self._choose.clicked.connect(self._ask_out)
        self._apply.clicked.connect(self.start)
        self._replace.clicked.connect(self.start_anew)

    # What there is

    @property
    def is_running(self) -> bool:
        """Whether something is being segmented."""
        return self._applying is not None

    def _planes(self, image: Image) -> Scope:
        """Return which planes of the image are chosen.

        Raises
        ------
        ValueError
            If none is on screen, in 3-D for example, and not all are chosen.
        """
        axes = self._scope.currentData() or ""
        everything = Scope.of(image, axes, (0,) * len(image.plane_shape))
        if everything.n_planes == np.prod(image.plane_shape):
            return everything
        return Scope.of(image, axes, current_plane(self._session.viewer, self._session.image))

    def _polygon(self) -> np.ndarray | None:
        """Return the region, None for everywhere; raises ValueError if it has no shape."""
        shapes, layer = self._region.currentData(), self._session.image
        if shapes is None or layer is None:
            return None
        return region_of(shapes, layer, (0,) * (layer.ndim - 2))

    # What the user asks for

    def start(self) -> None:
        """Segment, in a thread; goes on with what is unfinished."""
        self._start("resume")

    def start_anew(self) -> None:
        """Segment, in a thread, in place of what is there, which was made otherwise."""
        self._start("replace")

    def _start(self, existing: Existing) -> None:
        session = self._session
        self._replace.hide()
        try:
            session.adopt_image()
        except (ValueError, TypeError) as error:
            self.said.emit(str(error))
            return
        predictor, layer = session.predictor, session.image
        if predictor is None or layer is None:
            self.said.emit(
                "Open an image first: drag a file into the window, or File ▸ Open Sample."
            )
            return
        try:
            scope, polygon = self._planes(predictor.image), self._polygon()
        except (ValueError, TypeError) as error:
            self.said.emit(str(error))
            return
        self._image_layer, self._warning = session.image, ""
        how, thresholds = self._preview.chosen, self._preview.thresholds
        self._applying = Applying(
            predictor,
            how,
            thresholds,
            scope,
            polygon,
            self._out,
            layer.name,
            self._to_keep(),
            existing,
        )
        self._lane.submit(self._applying)
        self._show()
        self.progressed.emit(0, 0)

    def stop(self) -> None:
        """Stop; what was found stays in a folder beside the output."""
        if self._applying is None:
            return
        self._lane.abandon()
        self._applying = None
        self.said.emit(
            "Stopped. What was found is kept beside the output; Apply with the same settings "
            "goes on."
        )
        self._show()

    def _to_keep(self) -> Any:
        """Return the objects that are there already; None if there are none."""
        session = self._session
        if session.labels is None or session.coming_label == 1:
            return None
        array = ShownLabels(session.labels).array
        return array if isinstance(array, np.ndarray | zarr.Array) else None

    def _ask_out(self) -> None:
        dialog = QFileDialog(self, "Write labels to")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("OME-Zarr labels (*.zarr)")
        dialog.setDefaultSuffix("zarr")
        if self._out is not None:
            dialog.setDirectory(str(self._out.parent))
            dialog.selectFile(self._out.name)
        dialog.fileSelected.connect(self._use_out)
        dialog.open()

    def _use_out(self, path: str | Path) -> None:
        if Path(path) != self._out:
            self._replace.hide()
        self._out = Path(path)
        self._show()

    # What happens

    def _on_answer(self, work: Any, news: Any) -> None:
        applying = self._applying
        if applying is None or work is not applying or isinstance(news, str):
            return
        if isinstance(news, LabelsPyramid):
            self._show_labels(news, applying.predictor.image)
        elif isinstance(news, Path):
            self._use_out(news)
        else:
            self.progressed.emit(news.n_done, news.n_total)
            self.said.emit(stage_text(news))

    def _on_warned(self, work: Any, text: str) -> None:
        if work is self._applying:
            self._warning = f"⚠ {text}"
            self.said.emit(self._warning)

    def _on_failed(self, work: Any, error: Exception) -> None:
        from napari_sam.segment.output import OtherRunError

        self._replace.setVisible(work is self._applying and isinstance(error, OtherRunError))

    def _on_idle(self) -> None:
        self._applying = None
        self._show()

    def _show_labels(self, labels: LabelsPyramid, image: Image) -> None:
        """Add what was found to the viewer; it is read as it is looked at."""
        layers, image_layer = self._session.viewer.layers, self._image_layer
        from napari_sam.segment.output import read_record

        out, self._out = self._out, None
        record = read_record(out) if out else None
        if highest := (record or {}).get("highest_label", 0):
            self.said.emit(f"{self._warning} Labels up to {highest:,}, in {out}.".strip())
        if image_layer not in layers:
            return
        self._scene.found.hide()
        levels = [as_image(level, image) for level in labels.levels]
        layer = Labels(
            levels if len(levels) > 1 else levels[0],
            name=f"{image_layer.name} objects",
            multiscale=len(levels) > 1,
            axis_labels=image_layer.axis_labels,
            **placement(image_layer),
        )
        insert_layer(layers, layers.index(image_layer) + 1, layer)

    # What it will take

    def _foretell(self) -> None:
        """Forecast anew, if what is asked for has changed and somebody sees it."""
        is_busy = self._for_forecasts.current is not None or self._preview.is_searching
        if is_busy or self.is_running or self.visibleRegion().isEmpty():
            return
        try:
            asked = self._foretelling()
        except (ValueError, TypeError) as error:
            self._tell(cost=str(error))
            self._asked = None
            return
        if asked is None:
            self._tell(cost="A preview tells how long it takes.")
        elif self._key(asked) != self._asked:
            self._asked = self._key(asked)
            self._for_forecasts.submit(asked)

    def _foretelling(self) -> Foretelling | None:
        embeddings, layer = self._ahead.embeddings, self._session.image
        if embeddings is None or layer is None:
            return None
        queue, found = self._ahead.queue, self._preview.found
        if found is not None and found.finding.how != self._preview.chosen:
            found = None  # how long another way takes tells nothing
        return Foretelling(
            embeddings,
            self._preview.chosen.tile_step(embeddings),
            self._planes(embeddings.image),
            self._polygon(),
            self._out,
            layer.name,
            found,
            self._preview.thresholds,
            queue.seconds_per_tile if queue else None,
        )

    @staticmethod
    def _key(asked: Foretelling) -> tuple[object, ...]:
        region = None if asked.region is None else asked.region.tobytes()
        n_encoded = len(asked.embeddings.memory.keys())
        return (
            id(asked.embeddings),
            asked.step,
            asked.scope,
            region,
            asked.out,
            id(asked.found),
            asked.thresholds,
            n_encoded,
        )

    def _on_trial(self, text: str) -> None:
        self._tell(cost=text)

    def _on_forecast(self, work: Any, forecast: RunForecast) -> None:
        self._tell(cost=str(forecast), out=None if self.is_running else forecast.out)

    def _on_no_forecast(self, work: Any, error: Exception) -> None:
        self._tell(cost=str(error))

    def _tell(self, *, cost: str | None = None, out: Path | None = None) -> None:
        """Say what a run will take, and where it writes; None: as before."""
        self._cost_text = self._cost_text if cost is None else cost
        self._out_text = self._out_text if out is None else f"Into {out}"
        self._forecast.say("\n".join(filter(None, (self._cost_text, self._out_text))))

    def _show(self, event: Any = None) -> None:
        session = self._session
        if session.image is not self._image_layer and not self.is_running:
            self._image_layer, self._out = session.image, None
        _fill(self._scope, scopes(session.predictor.image if session.predictor else None))
        ours = self._scene.layers
        shapes = [
            layer
            for layer in session.viewer.layers
            if isinstance(layer, Shapes) and layer not in ours
        ]
        _fill(self._region, [(None, "everywhere"), *((layer, layer.name) for layer in shapes)])
        self._tell(out=self._out)
        self._apply.setEnabled(session.image is not None and not self.is_running)
        self._choose.setEnabled(session.image is not None and not self.is_running)


def _fill(combo: QComboBox, entries: list[tuple[Any, str]]) -> None:
    """Offer entries; the choice stays, if it is still there."""
    if entries == [(combo.itemData(i), combo.itemText(i)) for i in range(combo.count())]:
        return  # somebody may be choosing
    chosen = combo.currentData()
    combo.clear()
    for data, text in entries:
        combo.addItem(text, data)
    found = [i for i, (data, _) in enumerate(entries) if data is chosen or data == chosen]
    combo.setCurrentIndex(found[0] if found else 0)
