"""The last line of a terminal, rewritten while something takes its time; lines that stay are written above it."""

from collections.abc import Callable
from threading import Event, RLock, Thread

from platformctl.model.frozen import dataclass

CLEAR = "\r\x1b[K"
"""Moves to the beginning of the line and clears it."""
PACE = 1.0
"""Seconds between two updates of the time shown."""


@dataclass(frozen=True)
class _UnderWay:
    words: str
    since: float


class LiveLine:
    """Shows what is under way and for how many seconds, for several modules side by side.

    `write` gets text as it is to stand on the screen and must not raise; words went through `clean`, the sink, before.
    A thread updates the seconds, and ends with the last of what is under way. The lock may be taken again by the thread
    that holds it: a signal's handler writes too, in the middle of any line.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        clean: Callable[[str], str],
        clock: Callable[[], float],
        columns: Callable[[], int],
    ) -> None:
        self._write = write
        self._clean = clean
        self._clock = clock
        self._columns = columns
        self._lock = RLock()
        self._under_way: dict[str, _UnderWay] = {}
        self._over = Event()

    def begin(self, who: str, words: str) -> None:
        """Show that `who` is busy with `words` from now on."""
        with self._lock:
            if not self._under_way:
                self._over = Event()
                Thread(target=self._look_at_clock, args=(self._over,), name="live line", daemon=True).start()
            self._under_way[who] = _UnderWay(words, self._clock())
            self._draw()

    def go_on(self, who: str, words: str) -> None:
        """Show `words` for what `who` is still busy with; the seconds go on."""
        with self._lock:
            if who in self._under_way:
                self._under_way[who] = _UnderWay(words, self._under_way[who].since)
                self._draw()

    def end(self, *who: str) -> None:
        """Show no longer that these are busy; without names, that nobody is."""
        with self._lock:
            if not self._under_way:
                return
            for each in who or tuple(self._under_way):
                self._under_way.pop(each, None)
            self._draw()
            if not self._under_way:
                self._over.set()

    def above(self, line: str) -> None:
        """Write a whole line that stays."""
        with self._lock:
            self._write(CLEAR + line if self._under_way else line)
            if self._under_way:
                self._draw()

    def _look_at_clock(self, over: Event) -> None:
        while not over.wait(PACE):
            with self._lock:
                if not over.is_set():
                    self._draw()

    def _draw(self) -> None:
        """Rewrite the line.

        It is cut before the edge and has no letters of two columns: what went beyond the edge could not be taken back.
        """
        now = self._clock()
        rows = sorted(self._under_way.items())
        told = (f"{who + ': ' if who else ''}{at.words}, {now - at.since:.0f} s" for who, at in rows)
        text = " ".join(self._clean("; ".join(told)).split()).encode("ascii", "replace").decode()
        self._write(CLEAR + text[: self._columns() - 1])
