"""What is told of what is being done: how far it is, how long it takes, and how it is stopped."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_sam.embedding.underway import Underway
from napari_sam.embedding.view_queue import QueueState
from napari_sam.image.window import Window
from napari_sam.prompts import Prompts
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.doing import Watch
from napari_sam.widgets.predictor import Request

WINDOW = Window(0, 0, 256)


class World:
    """Lanes and a queue that do what a test says, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stopped: list[object] = []
        self.embeddings = SimpleNamespace(underway=None)
        self.queue = SimpleNamespace(
            seconds_per_tile=None, cancel=lambda: self.stopped.append("job")
        )
        self.ahead = SimpleNamespace(
            state=None, embeddings=self.embeddings, queue=self.queue, is_on=True
        )
        self.lanes = SimpleNamespace(busy=None, cancel=self.stopped.append)
        self.watch = Watch(self.lanes, self.ahead, clock=lambda: self.now)

    def begin(self, work, doing: str = "") -> None:
        self.lanes.busy = SimpleNamespace(current=work, doing=doing)

    def encode(self, usual_seconds: float | None = None, *, is_awaited: bool = True) -> None:
        self.embeddings.underway = Underway(
            4, usual_seconds, lambda: is_awaited, clock=lambda: self.now
        )

    def look_after(self, seconds: float):
        self.watch.look()
        self.now += seconds
        return self.watch.look()


@pytest.fixture
def world():
    return World()


def request(**options) -> Request:
    return Request(None, Prompts([[1, 2]]), (), **options)


def test_what_ends_soon_is_not_told(world):
    assert world.look_after(1) is None
    world.begin(request())
    assert world.look_after(0.2) is None
    world.begin(request())  # another one: begins anew
    assert world.look_after(0.2) is None
    assert world.look_after(0.2).text == "Segmenting …"


def test_a_click_tells_which_tile_is_encoded_and_how_long_it_takes(world):
    click = request()
    world.begin(click, "Encoding this part of the image …")
    assert world.look_after(1).text == "Encoding this part of the image …"
    world.encode()
    doing = world.look_after(0)
    assert (doing.text, doing.share) == ("Encoding tile 1 …", 0)
    world.embeddings.underway.note_stop()
    world.embeddings.underway.note_stop()
    doing = world.look_after(2)
    assert (doing.text, doing.share) == ("Encoding tile 1 · 6 s left", 0.25)
    world.encode(usual_seconds=2)  # the object reaches farther
    doing = world.look_after(1.6)
    assert doing.text == "Encoding tile 2 · 0.4 s left"
    assert doing.share == pytest.approx(0.8)
    doing.stop()
    assert world.stopped == [click]


def test_what_was_shown_is_stopped_not_what_has_begun_since(world):
    shown = Chore(lambda: iter(()), print)
    world.begin(shown, "Writing …")
    doing = world.look_after(1)
    world.begin(request())
    doing.stop()
    assert world.stopped == [shown]


def test_a_tile_that_is_about_to_give_way_is_not_the_clicks(world):
    world.begin(request(), "Encoding this part of the image …")
    world.encode(10, is_awaited=False)
    assert world.look_after(1).text == "Encoding this part of the image …"
    world.encode(10)
    assert world.look_after(0).text == "Encoding tile 1 · 10 s left"


def test_tiles_ahead_are_counted_and_can_be_stopped(world):
    world.ahead.state = QueueState(WINDOW, around=(3, 12))
    world.encode(2)
    doing = world.look_after(1.5)
    assert doing.text == "Encoding tile 3/12 ahead …"  # of the others nothing is known yet
    assert doing.share == pytest.approx(2.75 / 12)
    world.queue.seconds_per_tile = 2
    doing = world.look_after(0)
    assert doing.text == "Encoding tile 3/12 ahead · 18 s left"
    doing.stop()
    assert not world.ahead.is_on
    world.ahead.state = QueueState(reason="all tiles around the view are encoded")
    assert world.look_after(1) is None


def test_a_job_is_stopped_as_a_job(world):
    world.ahead.state = QueueState(WINDOW, n_done=7, n_total=1200)
    doing = world.look_after(1)
    assert doing.text == "Encoding tile 8/1,200 ahead …"
    doing.stop()
    assert world.stopped == ["job"]
    assert world.ahead.is_on


def test_a_click_comes_before_what_is_encoded_ahead(world):
    world.ahead.state = QueueState(WINDOW, around=(3, 12))
    world.look_after(1)
    world.begin(request())
    assert world.look_after(1).text == "Segmenting …"


def test_to_stop_hovering_is_to_encode_nothing_ahead(world):
    hover = request(is_hover=True)
    world.begin(hover, "Encoding this part of the image …")
    world.look_after(1).stop()
    assert world.stopped == [hover]
    assert not world.ahead.is_on


def test_only_what_can_be_stopped_has_a_stop(world):
    world.begin(SimpleNamespace(), "Opening the model nano …")
    doing = world.look_after(1)
    assert (doing.text, doing.stop) == ("Opening the model nano …", None)
    world.begin(chore := Chore(lambda: iter(()), print), "Writing …")
    world.look_after(1).stop()
    assert world.stopped == [chore]


@pytest.mark.parametrize("keeps_part", [False, True])
def test_who_stops_something_reads_before_what_becomes_of_it(world, keeps_part):
    world.begin(Chore(lambda: iter(()), print, keeps_part=keeps_part), "Following …")
    tip = world.look_after(1).stop_tip
    assert ("is kept" in tip, "nothing changes" in tip) == (keeps_part, not keeps_part)


def test_why_nothing_is_encoded_ahead(world):
    assert world.watch.complaint == ""
    world.ahead.state = QueueState(error="The disk is full.")
    assert world.watch.complaint == "Encoding ahead: The disk is full."
