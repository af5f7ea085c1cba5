"""The ways to an SSH host, tried alike."""

from collections.abc import Mapping
from typing import Protocol

import pytest

from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.ssh import SshTransport

TRUE = Command(("true",))
SshLike = SshTransport | OpensshTransport


class Reach(Protocol):
    """A way to an SSH host; `timeout` in seconds, as its own constructor has it."""

    def __call__(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float = ...) -> SshLike: ...


WAYS: Mapping[str, Reach] = {"ssh": SshTransport, "openssh": OpensshTransport}


each_way = pytest.mark.parametrize("reach", WAYS.values(), ids=WAYS)


def connect(reach: Reach, entry: HostEntry, environment: Mapping[str, str], timeout: float = 4) -> None:
    with reach(entry, environment, timeout=timeout) as transport:
        transport.run(TRUE)
