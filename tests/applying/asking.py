"""A canary asked here and now."""

from platformctl.applying import canary
from platformctl.model.desired import Canary
from platformctl.model.events import Event
from platformctl.model.result import CanaryResult
from tests.applying.web_server import FakeClock


def ask(
    question: Canary, clock: FakeClock | None = None, told: list[Event] | None = None, *, stop_after: int = 1000
) -> CanaryResult:
    """With `stop_after` somebody asks to stop when so much was told."""
    events: list[Event] = [] if told is None else told
    return canary.ask(
        question,
        local=True,
        tell=events.append,
        clock=clock or FakeClock(),
        interrupted=lambda: len(events) >= stop_after,
    )


def once(url: str, timeout: int = 20) -> Canary:
    return Canary(url, attempts=1, timeout=timeout)
