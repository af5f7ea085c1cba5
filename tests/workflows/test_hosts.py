"""Hosts are reached ahead of being asked: some at a time, and what goes wrong is told to who asks."""

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import cast

import pytest

from platformctl.cli import wiring
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.store.patience import Patience
from platformctl.transports.interface import Transport
from platformctl.workflows.hosts import Hosts
from platformctl.workflows.parts import Parts
from tests.contracts.releases import HOST

DRIVER = DockerCompose()


class Way:
    """The way to hosts that never answer: who sets out waits for `gate` and is refused then."""

    def __init__(self) -> None:
        self.set_out: list[HostName] = []
        self.under_way, self.gate = Semaphore(0), Event()

    def reach(self, entry: HostEntry) -> Transport:
        return cast("Transport", Silent(self, entry))


class Silent(nullcontext[None]):
    """A host at the end of a way."""

    def __init__(self, way: Way, entry: HostEntry) -> None:
        super().__init__()
        self.way, self.entry = way, entry

    def run(self, _command: Command) -> Completed:
        self.way.set_out.append(self.entry.name)
        self.way.under_way.release()
        assert self.way.gate.wait(10)
        raise Unreachable("nobody answers", hint="", host=self.entry.name)


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture
def reached(way: Way, tmp_path: Path) -> Iterator[Hosts]:
    parts = SimpleNamespace(reach=way.reach, platform=tmp_path, operator="ann", clock=wiring.SystemClock())
    hosts = Hosts(cast("Parts", parts), ExitStack(), "")
    yield hosts
    way.gate.set()
    hosts.close()


def named(number: int) -> HostEntry:
    return replace(HOST, name=HostName(f"h{number}"))


def test_eight_hosts_are_reached_at_a_time(way: Way, reached: Hosts) -> None:
    for number in range(20):
        reached.begin(named(number), DRIVER)

    assert all(way.under_way.acquire(timeout=10) for _ in range(8))
    assert not way.under_way.acquire(timeout=0.2)


def test_what_went_wrong_ahead_is_told_to_everybody_and_nobody_sets_out_again(way: Way, reached: Hosts) -> None:
    way.gate.set()
    for _ in range(3):
        reached.begin(HOST, DRIVER)
        with pytest.raises(Unreachable):
            reached.reach(HOST, DRIVER)

    assert way.set_out == [HOST.name]


def test_who_is_to_lock_a_host_sets_out_again(way: Way, reached: Hosts) -> None:
    """The plan of an index that comes ten minutes after the one that found the host silent."""
    way.gate.set()
    for tries in (1, 2):
        with pytest.raises(Unreachable):
            reached.lock(HOST, DRIVER, "apply", Patience())
        assert way.set_out == [HOST.name] * tries
