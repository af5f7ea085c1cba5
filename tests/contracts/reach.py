"""The ways to an SSH host, tried alike."""

import atexit
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.ssh import SshTransport
from tests.contracts.tailnet import Tailnet, tailnet

TRUE = Command(("true",))
SshLike = SshTransport | OpensshTransport


class Reach(Protocol):
    """A way to an SSH host; `timeout` in seconds, as its own constructor has it."""

    def __call__(self, entry: HostEntry, environment: Mapping[str, str], *, timeout: float = ...) -> SshLike: ...


@cache
def replayed() -> Tailnet:
    """One tailnet for the run, whose one peer is this machine's loopback."""
    folder = TemporaryDirectory(prefix="pctl-tailnet-")
    context = tailnet(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(context.__exit__, None, None, None)
    return context.__enter__()


def by_tailscale(entry: HostEntry, environment: Mapping[str, str], *, timeout: float = 10.0) -> SshLike:
    return replayed().reach(entry, environment, timeout=timeout)


BY_ADDRESS: Mapping[str, Reach] = {"ssh": SshTransport, "openssh": OpensshTransport}
WAYS: Mapping[str, Reach] = {**BY_ADDRESS, "tailscale": by_tailscale}
each_way = pytest.mark.parametrize("reach", WAYS.values(), ids=WAYS)
each_way_by_address = pytest.mark.parametrize("reach", BY_ADDRESS.values(), ids=BY_ADDRESS)


def connect(reach: Reach, entry: HostEntry, environment: Mapping[str, str], timeout: float = 20) -> None:
    with reach(entry, environment, timeout=timeout) as transport:
        transport.run(TRUE)
