"""What can go wrong with a host: each fault with the way to make it and the way to mend it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.lab.machine import run
from tests.lab.network import Direction
from tests.lab.place import Daemon, Place

FILLER = "/var/lib/docker/filler"


@dataclass(frozen=True)
class Fault:
    make: Callable[[Place], None]
    mend: Callable[[Place], None]
    outlives_power: bool
    """Whether it is still there after a reboot."""


def _cut(direction: Direction) -> Fault:
    return Fault(
        lambda place: place.network.cut(place.name, direction),
        lambda place: place.network.mend(place.name, direction),
        outlives_power=True,
    )


def _frozen(daemon: Daemon) -> Fault:
    return Fault(
        lambda place: _signal(place, daemon, signal.SIGSTOP),
        lambda place: _signal(place, daemon, signal.SIGCONT),
        outlives_power=False,
    )


def _signal(place: Place, daemon: Daemon, number: signal.Signals) -> None:
    for pid in place.daemon_pids(daemon):
        with suppress(ProcessLookupError):  # a session that ended in this moment
            os.kill(pid, number)


def _dead(daemon: Daemon) -> Fault:
    return Fault(lambda place: place.kill(daemon), lambda place: place.start(daemon), outlives_power=False)


def _fill(place: Place) -> None:
    run(*place.inside, "sh", "-c", f"cat /dev/zero >{FILLER} 2>/dev/null || :")


def _empty(place: Place) -> None:
    run(*place.inside, "rm", "-f", FILLER)


FAULTS = {
    "cut-in": _cut("in"),
    "cut-out": _cut("out"),
    "disk-full": Fault(_fill, _empty, outlives_power=True),
    "dockerd-frozen": _frozen("dockerd"),
    "sshd-frozen": _frozen("sshd"),
    "dockerd-dead": _dead("dockerd"),
    "sshd-dead": _dead("sshd"),
}
"""In the order of mending: a daemon is started when it has its disk again."""


def make(place: Place, name: str) -> None:
    """Once: a fault that is there already stays as it is."""
    marker = place.faults / name
    if not marker.exists():
        marker.touch()
        FAULTS[name].make(place)


def mend(place: Place, name: str) -> None:
    marker = place.faults / name
    if marker.exists():
        FAULTS[name].mend(place)
        marker.unlink()


def mend_all(place: Place) -> None:
    for name in FAULTS:
        mend(place, name)


def forget_after_reboot(place: Place) -> None:
    for name, fault in FAULTS.items():
        if not fault.outlives_power:
            (place.faults / name).unlink(missing_ok=True)
