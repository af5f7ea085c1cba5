"""The hosts that every transport is tried on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.transports.interface import Transport
from platformctl.transports.local import LocalTransport
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.ssh import SshTransport
from platformctl.transports.tailscale import TailscaleTransport
from tests.contracts.odd_host import OddHost, odd_host
from tests.contracts.sshd import Sshd, throw_away_sshd, unprivileged_user
from tests.contracts.tailnet import Tailnet, tailnet


@pytest.fixture(scope="session")
def user() -> Iterator[str]:
    with unprivileged_user() as name:
        yield name


@pytest.fixture(scope="session")
def sshd(user: str) -> Iterator[Sshd]:
    with throw_away_sshd(user) as server:
        yield server


@pytest.fixture
def fresh(user: str) -> Iterator[Sshd]:
    """A server that has met nobody and may be furnished further."""
    with throw_away_sshd(user) as server:
        yield server


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[OddHost]:
    with odd_host(tmp_path / "odd") as host:
        yield host


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Tailnet]:
    """What tailscale of this machine says of a tailnet."""
    with tailnet(tmp_path) as made:
        yield made


@pytest.fixture
def ssh(sshd: Sshd) -> Iterator[SshTransport]:
    with SshTransport(sshd.entry(), sshd.environment, timeout=5) as transport:
        yield transport


@pytest.fixture
def openssh(sshd: Sshd) -> Iterator[OpensshTransport]:
    with OpensshTransport(sshd.entry(), sshd.environment, timeout=5) as transport:
        yield transport


@pytest.fixture
def tailscale(sshd: Sshd, net: Tailnet) -> Iterator[TailscaleTransport]:
    with net.reach(sshd.entry(), sshd.environment, timeout=5) as transport:
        yield transport


@pytest.fixture
def local() -> LocalTransport:
    entry = HostEntry(name=HostName("local"), transport="local", root="/opt/platform", allow_root=True)
    return LocalTransport(entry, os.environ)


@pytest.fixture(params=["local", "ssh", "openssh", "tailscale"])
def transport(request: pytest.FixtureRequest) -> Transport:
    wanted: Transport = request.getfixturevalue(request.param)
    return wanted
