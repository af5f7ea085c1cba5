"""`doctor` by itself: what a host did not say is no finding about its modules."""

from pathlib import Path

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.model.command import Command, Completed
from platformctl.transports.interface import Transport
from platformctl.workflows.doctor import doctor
from platformctl.workflows.hosts import Answering
from tests.contracts.compose_host import frame, http
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo
from tests.workflows.inside import parts_of

LISTS = {
    "refused": Completed(0, frame({"engine": http({"message": "layer does not exist"}, statuses={0: 500})}), b""),
    "cut short": Completed(0, frame({"engine": http([])})[:-20], b"", truncated=True),
    "failed": Completed(1, b"", b"no room"),
}


class Unlisted(Answering):
    """A way to a host that answers everything but which images it has."""

    def __init__(self, inner: Transport, told: Completed) -> None:
        super().__init__(inner)
        self._told = told

    def run(self, command: Command) -> Completed:
        return self._told if command == DockerCompose().images() else super().run(command)


@pytest.mark.lab
@pytest.mark.parametrize("case", LISTS)
def test_images_that_could_not_be_listed_are_said_once_and_not_taken_for_gone(
    tmp_path: Path, host: Host, case: str
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("web", "other"):
        repo.add_module(name, {"services": {name: {**WEB["services"]["web"], "ports": []}}})
        repo.deploy(name)

    report = doctor(parts_of(repo, lambda inner: Unlisted(inner, LISTS[case])), ())

    (found,) = [check for check in report.checks if check.level == "warn" and check.name != "disk"]
    assert (found.name, found.found.partition(":")[0]) == ("images", "images could not be listed")
    assert {"journal", "lock", "root"} < {check.name for check in report.checks}
    assert report.exit_code == 0
