"""The line that is rewritten: it says what is under way and for how long, stays on its line, and leaves none behind."""

import threading
from collections.abc import Iterator

import pytest

from platformctl.cli.live import CLEAR, LiveLine
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor


class Screen:
    """What was written, a clock that is set by hand, and a line on it."""

    def __init__(self, columns: int = 80) -> None:
        self.text = ""
        self.seconds = 0.0
        clean = Redactor([Secret("hunter2-and-more")]).clean
        self.live = LiveLine(self._write, clean=clean, clock=lambda: self.seconds, columns=lambda: columns)

    def _write(self, text: str) -> None:
        self.text += text

    @property
    def last(self) -> str:
        """What stands on the last line."""
        return self.text.rpartition("\n")[2].rpartition(CLEAR)[2]


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.live.end()


def test_it_says_what_is_under_way_and_for_how_long(screen: Screen) -> None:
    screen.live.begin("", "preparing image web:1")
    screen.seconds = 12.4
    screen.live.go_on("", "preparing image web:1, nearly")

    assert screen.last == "preparing image web:1, nearly, 12 s"


def test_what_begins_anew_is_counted_anew(screen: Screen) -> None:
    screen.live.begin("", "one")
    screen.seconds = 9
    screen.live.begin("", "two")

    assert screen.last == "two, 0 s"


def test_modules_are_shown_beside_each_other(screen: Screen) -> None:
    screen.live.begin("web", "waiting")
    screen.live.begin("db", "pulling")
    assert screen.last == "db: pulling, 0 s; web: waiting, 0 s"
    screen.live.end("db")
    assert screen.last == "web: waiting, 0 s"


def test_a_line_that_stays_takes_its_place_and_it_goes_on_below(screen: Screen) -> None:
    screen.live.begin("", "waiting")
    screen.live.above("reached rs2000\n")

    drawn, above, again = screen.text.partition(f"{CLEAR}reached rs2000\n")
    assert above
    assert set(drawn.split(CLEAR)) == set(again.split(CLEAR)) == {"", "waiting, 0 s"}


def test_where_nothing_is_under_way_a_line_is_written_as_it_is(screen: Screen) -> None:
    screen.live.go_on("", "nothing began")
    screen.live.end()
    screen.live.above("a line\n")

    assert screen.text == "a line\n"


def test_at_the_end_nothing_is_left_of_it_and_nobody_looks_at_the_clock(screen: Screen) -> None:
    before = set(threading.enumerate())
    screen.live.begin("", "waiting")
    (thread,) = set(threading.enumerate()) - before
    screen.live.end()
    thread.join(10)

    assert not thread.is_alive()
    assert screen.text.endswith(CLEAR)


def test_it_goes_through_the_sink_stays_one_line_and_is_cut_before_the_edge() -> None:
    screen = Screen(columns=40)
    screen.live.begin("", "run: x\n\x1b[2J \u4e16 hunter2-and-more" + "y" * 80)
    screen.live.end()
    shown = screen.text.split(CLEAR)[1]

    assert len(shown) == 39
    assert shown.isprintable()
    assert shown.isascii()
    assert "hunter2" not in screen.text


def test_a_signal_may_write_amid_a_line(screen: Screen) -> None:
    interrupted = Screen()

    def write_and_be_interrupted(text: str) -> None:
        interrupted.text += text
        if text == "first\n":
            interrupted.live.above("asked to stop\n")

    interrupted.live = LiveLine(write_and_be_interrupted, clean=str, clock=lambda: 0.0, columns=lambda: 80)
    interrupted.live.above("first\n")

    assert interrupted.text == "first\nasked to stop\n"
