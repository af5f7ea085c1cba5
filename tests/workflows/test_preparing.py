"""Preparing a host by itself: what a stop leaves undone."""

from types import SimpleNamespace
from typing import cast

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import Terminated
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest
from platformctl.model.observed import Observation
from platformctl.model.plan import PlannedImage
from platformctl.session import HostSession
from platformctl.workflows.case import Case
from platformctl.workflows.parts import Parts
from platformctl.workflows.preparing import Preparation, prepare
from tests.contracts.releases import HOST

DONE = Completed(0, b"done\n", b"")


class Pulling:
    """A session with a host that does whatever it is told; its operator asks to stop while the first image comes."""

    def __init__(self) -> None:
        self.pulled: list[str] = []

    def ask(self, command: Command) -> Completed:
        if command.argv[:2] == ("docker", "pull"):
            self.pulled.append(command.argv[-1])
        return DONE

    def interrupted(self) -> type[Terminated] | None:
        return Terminated if self.pulled else None


def test_who_is_asked_to_stop_between_two_images_pulls_no_other() -> None:
    session = Pulling()
    images = tuple(PlannedImage(f"{name}:1", None, Digest.of(name.encode())) for name in ("web", "db"))
    parts = SimpleNamespace(interrupted=session.interrupted, tell=lambda _event: None)
    needed = Preparation((Command(("true",)),), images, Command(("true",)))

    with pytest.raises(Terminated) as caught:
        prepare(
            cast("Parts", parts),
            cast("Case", SimpleNamespace(release=SimpleNamespace(host=HOST))),
            cast("HostSession", session),
            DockerCompose(),
            cast("Observation", None),
            needed,
            [DONE],
        )

    assert session.pulled == ["web:1"]
    assert "before anything was touched" in caught.value.summary
