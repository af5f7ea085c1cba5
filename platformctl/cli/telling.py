"""What is told on stderr while it happens: log lines and, at a terminal, a line that is rewritten."""

import dataclasses
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from platformctl import log
from platformctl.cli import printing
from platformctl.cli.verb import Chosen
from platformctl.model.events import Event, HealthSeen, HostReached, OfModule, RollbackStub
from platformctl.render.progress import line_of, takes_time


def teller(chosen: Chosen) -> Callable[[Event], None]:
    """Who is told of events, by the global options: in words for people, as fields for programs.

    Its failures are dropped: nobody who listens has a say in what becomes of a host.
    """
    level: log.Level = "quiet" if chosen.quiet else "verbose" if chosen.verbose else "normal"
    form: log.Form = "json" if chosen.log_format == "json" else "text"
    rewriting = form == "text" and level != "quiet" and _watched() and os.environ.get("TERM", "dumb") != "dumb"

    def tell(event: Event) -> None:
        with suppress(Exception):
            if not rewriting or not isinstance(_of(event)[1], HealthSeen):
                _log(event, level, form)
            if rewriting:
                _show(event)

    return tell


def _watched() -> bool:
    """Return whether somebody at a terminal may wait and want to see that it goes on."""
    return sys.stderr is not None and sys.stderr.isatty()


def _of(event: Event) -> tuple[str, Event]:
    """Return the module that an event is about ("" if there is only one), and the event itself."""
    return (event.module, event.event) if isinstance(event, OfModule) else ("", event)


def _log(event: Event, level: log.Level, form: log.Form) -> None:
    """Write an event to the log.

    It is set up with the first line: most commands have none, and structlog takes its time to import.
    """
    module, told = _of(event)
    if isinstance(told, HostReached) and form == "text" and level != "verbose" and not _watched():
        return
    if not log.is_configured():
        log.configure(level=level, form=form, write=printing.log_line, clean=printing.clean, now=_now)
    fields = {field.name: getattr(told, field.name) for field in dataclasses.fields(told)}
    if module:
        fields = {"module": module, **fields}
    if isinstance(told, RollbackStub):
        log.logger().error("ROLLBACK_STUB", **fields, todo="manual recovery required")
    elif form == "json":
        log.logger().info(type(told).__name__, **fields)
    else:
        log.logger().info(line_of(event))


def _show(event: Event) -> None:
    module, told = _of(event)
    if isinstance(told, HealthSeen):
        printing.live.go_on(module, line_of(told))
    elif takes_time(told):
        printing.live.begin(module, line_of(told))
    else:
        printing.live.end(module)


def _now() -> datetime:
    return datetime.now(UTC)
