"""Keys: one table, changed in the Preferences, bound on the plugin's own layers only."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from app_model.types import KeyBinding
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes
from napari.utils.events import EmitterGroup

import napari_sam
from napari_sam.widgets import key_choices as module
from napari_sam.widgets.action_button import ActionButton
from napari_sam.widgets.key_choices import KeyChoices, key_choices, parse_key, parse_keys
from napari_sam.widgets.keys import ACTIONS, KEEP, LIST_ACTIONS, UNDO
from napari_sam.widgets.links import Links
from napari_sam.widgets.session import scene

EVERYWHERE = (*ACTIONS, *LIST_ACTIONS)
MANIFEST = Path(napari_sam.__file__).with_name("napari.yaml")


@pytest.fixture
def settings(monkeypatch):
    """The page in the Preferences, with the defaults."""
    keys = SimpleNamespace(**{action.name: action.default_key for action in EVERYWHERE})
    keys.events = EmitterGroup(changed=None)
    plugin = SimpleNamespace(keys=keys)
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda: {module.PLUGIN: plugin})
    yield keys
    monkeypatch.undo()
    key_choices.changed.emit()


@pytest.fixture
def drawn(settings, viewer, make_session):
    viewer.add_image(np.zeros((200, 240), np.uint8), name="cells")
    made = make_session(viewer)
    made.adopt_image()
    drawn = scene(viewer)
    drawn.hand.wake_keys()
    return drawn


@pytest.fixture
def session(drawn):
    return drawn.session


def bound(layer, key):
    return layer.keymap.get(KeyBinding.from_str(key))


def test_the_preferences_begin_with_the_table():
    pages = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["contributions"]["configurations"]
    in_manifest = {name: entry["default"] for name, entry in pages["keys"]["properties"].items()}
    assert in_manifest == {action.name: action.default_key for action in EVERYWHERE}


@pytest.mark.parametrize("actions", [ACTIONS, LIST_ACTIONS])
def test_every_key_is_one_and_has_one_meaning(actions):
    keys = [str(key) for action in actions for key in parse_keys(action.default_key)]
    assert len(set(keys)) == len(keys) >= len(actions)


def test_where_keyboards_have_no_delete_backspace_is_it(drawn, session):
    session.click(100, 120)
    session.commit()
    session.reopen(1)
    bound(drawn.points.layer, "Backspace")(drawn.points.layer)
    assert not session.labels.data.any()


def test_what_the_status_says_is_about_the_keys_that_were_chosen(settings, session):
    settings.keep, settings.drop, settings.undo = "Ctrl+K", "Ctrl+D", "Ctrl+U"
    session.click(100, 120)
    assert "Ctrl+K keeps it" in session.status
    session.commit()
    assert "Ctrl+U takes it back" in session.status
    session.reopen(1)
    assert "Ctrl+K replaces object 1, Ctrl+D leaves it" in session.status


def test_layers_of_the_user_keep_all_their_keys(drawn):
    viewer = drawn.session.viewer
    viewer.add_labels(np.zeros((200, 240), np.uint8))
    viewer.add_points()
    before = [len(kind.class_keymap) for kind in (Image, Labels, Points, Shapes)]
    drawn.session.click(100, 120)
    drawn.session.commit()
    assert bound(drawn.points.layer, "Enter")
    own = drawn.layers
    assert not any(layer.keymap for layer in viewer.layers if layer not in own)
    assert [len(kind.class_keymap) for kind in (Image, Labels, Points, Shapes)] == before


def test_a_key_changed_in_the_preferences_acts_at_once(drawn, settings, qtbot):
    links = Links()
    button = ActionButton(KEEP, drawn.hand, links)
    qtbot.addWidget(button)
    assert button.text() == "Keep (Enter)"
    settings.keep = "Ctrl+K"
    settings.events.changed()
    layer = drawn.points.layer
    assert bound(layer, "Ctrl+K")
    assert not bound(layer, "Enter")
    assert button.text() == "Keep (Ctrl+K)"
    assert "Ctrl+K" in button.toolTip()


@pytest.mark.parametrize("text", ["", "Return", "Hello", "Ctrl+"])
def test_what_is_no_key_leaves_the_default(drawn, settings, text):
    settings.keep = text
    settings.events.changed()
    assert KEEP.key == "Enter"
    assert bound(drawn.points.layer, "Enter")


def test_of_two_actions_with_one_key_the_first_has_it(drawn, settings):
    settings.undo = "Enter"
    settings.events.changed()
    drawn.session.click(100, 120)
    bound(drawn.points.layer, "Enter")(drawn.points.layer)
    assert drawn.session.labels is not None


def test_without_the_manifest_there_are_the_defaults(monkeypatch):
    monkeypatch.setattr("napari.settings.get_plugin_settings", dict)
    assert KeyChoices().text("keep", "Enter") == "Enter"


def test_on_a_mac_control_is_command(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert parse_key(UNDO.default_key) == KeyBinding.from_str("Meta+Z")
    assert parse_key("T") == KeyBinding.from_str("T")


def test_two_viewers_have_their_own_keys(drawn, make_session):
    other = ViewerModel()
    other.add_image(np.zeros((200, 240), np.uint8))
    make_session(other).click(100, 120)
    bound(scene(other).points.layer, "T")(scene(other).points.layer)
    assert scene(other).session.turbo
    assert not drawn.session.turbo
