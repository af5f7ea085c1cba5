"""`status` by itself: what it asks of whom."""

from pathlib import Path
from threading import Barrier

from platformctl.model.command import Command, Completed
from platformctl.transports.interface import Transport
from platformctl.workflows.hosts import Answering
from platformctl.workflows.status import status
from tests.platform_repo import WEB, PlatformRepo
from tests.workflows.inside import parts_of

NOBODY = {
    "transport": "ssh",
    "address": "127.0.0.1",
    "port": 1,
    "user": "agent",
    "root": "/opt/platform",
    "host_key": ["SHA256:" + "A" * 43],
    "machine_id": "a" * 32,
}
"""The entry of a host where nobody listens."""


def test_a_host_that_is_silent_is_waited_for_once_whatever_is_on_it(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    repo.hosts_file({"gone": NOBODY})
    names = ("a", "b", "c")
    for name in names:
        repo.add_module(name, {"services": {name: WEB["services"]["web"]}}, host="gone")
    ways: list[Transport] = []

    def noted(inner: Transport) -> Transport:
        ways.append(inner)
        return inner

    report = status(parts_of(repo, noted), ())

    assert (report.exit_code, len(ways)) == (69, 1)
    assert [warning.partition(":")[0] for warning in report.warnings] == [*names]


class Together(Answering):
    """A way to a host that is taken only once others set out too."""

    def __init__(self, inner: Transport, others: Barrier) -> None:
        super().__init__(inner)
        self._others = others

    def run(self, command: Command) -> Completed:
        self._others.wait(10)
        return super().run(command)


def test_the_hosts_of_modules_that_are_named_are_asked_side_by_side_and_no_others(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    hosts = ("one", "two", "three")
    repo.hosts_file(dict.fromkeys(hosts, NOBODY))
    for name in hosts:
        repo.add_module(name, {"services": {name: WEB["services"]["web"]}}, host=name)
    others, ways = Barrier(2), list[str]()

    def way(inner: Transport) -> Transport:
        ways.append(inner.entry.name)
        return Together(inner, others)

    report = status(parts_of(repo, way), ("one", "two"))

    assert sorted(ways) == ["one", "two"]
    assert [warning.partition(":")[0] for warning in report.warnings] == ["one", "two"]
