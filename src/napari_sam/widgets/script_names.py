"""What a script calls layers and models, and where it has them from."""

from __future__ import annotations

import re
import weakref
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

    from napari_sam.model.base import Model
    from napari_sam.widgets.kept_labels import KeptLabels

TITLE = '"""Repeats by commands what was segmented by hand in napari."""\n'
VIEWER = """
viewer = napari.current_viewer() or napari.Viewer()
session = napari_sam.session(viewer)
session.image, session.step, session.turbo = None, None, False
"""
NO_FILE = """
# No file tells what these are. Have them ready before you run this, as they were in the beginning:
# layers in the viewer, by these names; models as variables.
"""
IMPORTS = {
    "inf": "from math import inf",
    "nan": "from math import nan",
    "Thresholds": "from napari_sam.masks import Thresholds",
    "masks_from_rows": "from napari_sam.masks.runs import masks_from_rows",
}


@dataclass(frozen=True)
class MadeLabels:
    """Labels that come to be on the way.

    Parameters
    ----------
    image : str
        The name of the image that is chosen then.
    lines : tuple of str
        Python that makes them, and gives them their name.
    """

    image: str
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Given:
    """A layer that a script finds, or opens from a file."""

    layer: weakref.ref[Any]
    name: str
    what: str
    opening: str
    place: int


class ScriptNames:
    """Names for layers and models that do not change, whatever the user calls them.

    Nothing is kept alive.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Not kept.

    Attributes
    ----------
    made : dict
        How labels come to be that are made, opened or recovered by commands; by name.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.made: dict[str, MadeLabels] = {}
        self._names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._counts: Counter[str] = Counter()
        self._given: dict[str, _Given] = {}
        self._models: dict[str, str] = {}
        self._changed: weakref.WeakSet[Any] = weakref.WeakSet()
        self._places: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        for layer in viewer.layers:
            self._note_place(layer, viewer.layers)
        viewer.layers.events.inserted.connect(self._on_inserted)

    def model(self, model: Model | str) -> str:
        """Return the expression for a model, which has been given by its name or itself."""
        if isinstance(model, str):
            return repr(model)
        if model not in self._names:
            self._models[self._name(model, "model")] = model.name
        return self._names[model]

    def image(self, layer: ImageLayer | None) -> str:
        """Return the name of an image."""
        if layer is None:
            return "None"
        if layer not in self._names:
            self._give(layer, "image")
        return self._names[layer]

    def labels(self, kept: KeptLabels | None, image: ImageLayer | None) -> str:
        """Return the name of labels; if they are new, those of this image."""
        if kept is None:
            return "None"
        layer = kept.layer
        if layer not in self._names:
            came_by = "" if layer in self._changed else kept.came_by
            came_by = "labels = session.new_labels()" if kept.is_made_here else came_by
            if came_by:
                self._make(self._name(layer, "labels"), came_by, self.image(image))
            else:
                self._give(layer, "labels")
        return self._names[layer]

    def known(self, layer: Any) -> str | None:
        """Return the name of a layer, if it has one."""
        return self._names.get(layer)

    def forget(self, layer: Any) -> None:
        """Give a layer another name, as its data have become others."""
        self._names.pop(layer, None)
        self._changed.add(layer)

    def is_opened(self, path: str) -> bool:
        """Whether labels are opened on the way from a folder, which is given as Python."""
        return any(f"session.open_labels({path})" in made.lines for made in self.made.values())

    def head(self, mentioned: Collection[str], lines: Collection[str]) -> str:
        """Return what comes before the lines of a script that mention some names."""
        words = set(re.findall(r"\w+", "\n".join(lines)))
        imports = [line for word, line in IMPORTS.items() if word in words]
        plain = [line for line in imports if "napari_sam" not in line]
        ours = [line for line in imports if "napari_sam" in line]
        gap = [""] * bool(plain)
        top = [TITLE, *plain, *gap, "import napari", "import napari_sam", *ours]
        return "\n".join([*top, VIEWER + self._material(mentioned), ""])

    # Inside

    def _material(self, mentioned: Collection[str]) -> str:
        """Return the lines that open or find layers and models."""
        given = {name: one for name, one in self._given.items() if name in mentioned}
        models = [
            f"# {name} = ...  # {called!r}"
            for name, called in self._models.items()
            if name in mentioned
        ]
        taken: Counter[str] = Counter()
        found, files = [], dict[str, dict[int, str]]()
        for name, one in given.items():
            if one.opening:
                files.setdefault(one.opening, {})[one.place] = name
                continue
            layer = one.layer()
            title = one.name if layer is None else layer.name
            taken[title] += 1
            number = f" [{taken[title] - 1}]" if taken[title] > 1 else ""
            found.append(f"{name} = viewer.layers[{title + number!r}]  # {one.what}")
        opened = []
        for opening, places in files.items():
            first = [places.get(place, "_") for place in range(max(places) + 1)]
            opened += _opened(opening, first)
        no_file = NO_FILE + "\n".join([*models, *found, ""]) if models or found else ""
        return no_file + "\n".join(["", *opened, ""] if opened else [])

    def _name(self, thing: Any, kind: str) -> str:
        self._counts[kind] += 1
        number = self._counts[kind]
        self._names[thing] = name = kind if number == 1 else f"{kind}_{number}"
        return name

    def _give(self, layer: Any, kind: str) -> None:
        shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
        what = f"{layer.dtype} of shape {tuple(map(int, shape))}"
        opening = "" if layer in self._changed else _opening(layer, kind)
        place = self._places.get(layer, 0)
        name = self._name(layer, kind)
        self._given[name] = _Given(weakref.ref(layer), layer.name, what, opening, place)

    def _make(self, name: str, came_by: str, image: str) -> None:
        lines = came_by.splitlines()
        if lines[-1] == "labels = session.new_labels()":
            lines[-1] = f"{name} = session.new_labels()"
        else:
            lines.append(f"{name} = session.labels")
        self.made[name] = MadeLabels(image, tuple(lines))

    def _on_inserted(self, event: Any) -> None:
        self._note_place(event.value, event.source)

    def _note_place(self, layer: Any, layers: Any) -> None:
        """Note which of the layers from one file it is."""
        source = layer.source
        like = (each for each in layers if each in self._places and each is not layer)
        self._places.setdefault(
            layer, sum(each.source == source for each in like) if source.path else 0
        )


def _opening(layer: Any, kind: str) -> str:
    """Return the expression that opens a layer, and those that come with it; "" if none does."""
    source = layer.source
    if source.sample:
        plugin, key = source.sample
        return f"viewer.open_sample({plugin!r}, {key!r})"
    if not source.path:
        return ""
    as_labels = ", layer_type='labels'" * (kind == "labels" and source.reader_plugin == "napari")
    return f"viewer.open({str(source.path)!r}, plugin={source.reader_plugin!r}{as_labels})"


def _opened(opening: str, names: Sequence[str]) -> list[str]:
    """Return the lines that open a file, and give the first of its layers names.

    Nobody knows whether several came from one file that holds them, or from one opened repeatedly.
    """
    if len(names) == 1:
        return [f"{names[0]}, *_ = {opening}"]
    return [
        f"opened = {opening}",
        f"while len(opened) < {len(names)}:  # then the file was opened more than once",
        f"    opened += {opening}",
        f"{', '.join(names)}, *_ = opened",
    ]
