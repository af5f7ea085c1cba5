"""Hosts are reached ahead of being asked: some at a time, and what goes wrong is told to who asks."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import cast

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Unreachable
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
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
        self.set_out.append(entry.name)
        self.under_way.release()
        assert self.gate.wait(10)
        raise Unreachable("nobody answers", hint="", host=entry.name)


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture
def reached(way: Way) -> Iterator[Hosts]:
    hosts = Hosts(cast("Parts", SimpleNamespace(reach=way.reach)), ExitStack(), "")
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


def test_what_went_wrong_ahead_is_told_to_who_asks_and_the_next_one_tries_again(way: Way, reached: Hosts) -> None:
    way.gate.set()
    for _ in range(2):
        reached.begin(HOST, DRIVER)
    for tries in (1, 2):
        with pytest.raises(Unreachable):
            reached.reach(HOST, DRIVER)
        assert way.set_out == [HOST.name] * tries
