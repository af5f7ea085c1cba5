"""`status` by itself: what it asks of whom."""

from pathlib import Path

from platformctl.transports.interface import Transport
from platformctl.workflows.status import status
from tests.platform_repo import WEB, PlatformRepo
from tests.workflows.inside import parts_of


def test_a_host_that_is_silent_is_waited_for_once_whatever_is_on_it(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    gone = {"transport": "ssh", "address": "127.0.0.1", "port": 1, "user": "agent", "root": "/opt/platform"}
    repo.hosts_file({"gone": {**gone, "host_key": ["SHA256:" + "A" * 43], "machine_id": "a" * 32}})
    names = ("a", "b", "c")
    for name in names:
        repo.add_module(name, {"services": {name: WEB["services"]["web"]}}, host="gone")
    ways: list[Transport] = []

    report = status(parts_of(repo, lambda inner: ways.append(inner) or inner), ())

    assert (report.exit_code, len(ways)) == (69, 1)
    assert [warning.partition(":")[0] for warning in report.warnings] == [*names]
