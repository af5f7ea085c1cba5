"""The last line of a terminal, rewritten while something takes its time; what is written for good goes above it."""

from collections.abc import Callable
from threading import Event, RLock, Thread

from platformctl.model.frozen import dataclass

CLEAR = "\r\x1b[K"
"""Back to the beginning of the line, and nothing on it."""
PACE = 1.0
"""Seconds between two looks at the clock."""


@dataclass(frozen=True)
class _UnderWay:
    words: str
    since: float


class LiveLine:
    """Says what is under way and for how many seconds, of several modules beside each other.

    `write` gets text as it is to stand on the screen and raises nothing; words went through `clean`, the sink, before.
    The thread that looks at the clock ends with the last of what is under way. Who holds the lock may take it again: a
    signal's handler writes too, amid any line.
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
        """From now on `who` is at `words`."""
        with self._lock:
            if not self._under_way:
                self._over = Event()
                Thread(target=self._look_at_clock, args=(self._over,), name="live line", daemon=True).start()
            self._under_way[who] = _UnderWay(words, self._clock())
            self._draw()

    def go_on(self, who: str, words: str) -> None:
        """`who` is still at it, which is said as `words` now."""
        with self._lock:
            if who in self._under_way:
                self._under_way[who] = _UnderWay(words, self._under_way[who].since)
                self._draw()

    def end(self, *who: str) -> None:
        """These are at nothing any more; without any, nobody is."""
        with self._lock:
            if not self._under_way:
                return
            for each in who or tuple(self._under_way):
                self._under_way.pop(each, None)
            self._draw()
            if not self._under_way:
                self._over.set()

    def above(self, line: str) -> None:
        """Write a whole line, to stay."""
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
        """Cut before the edge and without letters of two columns: what goes over it could not be taken back."""
        now = self._clock()
        rows = sorted(self._under_way.items())
        told = (f"{who + ': ' if who else ''}{at.words}, {now - at.since:.0f} s" for who, at in rows)
        text = " ".join(self._clean("; ".join(told)).split()).encode("ascii", "replace").decode()
        self._write(CLEAR + text[: self._columns() - 1])
