"""A real host whose network goes away: what was not seen is not claimed, and nobody waits longer than they said."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from platformctl.errors import OutcomeUnknown, Unreachable
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.transports.ssh import SshTransport
from tests.contracts.reach import TRUE, Reach, SshLike, each_way_by_address
from tests.lab import Host, Lab
from tests.lab.delay import far_away

pytestmark = pytest.mark.lab
CONNECTING, DEADLINE, GRACE = 3.0, 1.0, 5.0
WAITING = "touch /tmp/began; until [ -e /tmp/go ]; do sleep 0.02; done; echo here >/tmp/ended; echo said"
SLOW = Command(("sh", "-c", WAITING), timeout=DEADLINE)


@dataclass(frozen=True)
class Way:
    """A way to a lab host."""

    host: Host
    reach: Reach

    def open(self) -> SshLike:
        entry = HostEntry(
            HostName("lab"),
            "ssh",
            self.host.root,
            address=self.host.address,
            port=self.host.port,
            user=self.host.user,
            host_key=self.host.host_key_fingerprints,
        )
        environment = {"HOME": "/nonexistent", "PLATFORMCTL_SSH_KEY": str(self.host.key_path)}
        return self.reach(entry, environment, timeout=CONNECTING)

    def takes(self, deed: Callable[[], object], raised: type[Exception]) -> None:
        """The deed raises this, within what was said and `GRACE`."""
        begun = time.monotonic()
        with pytest.raises(raised):
            deed()
        assert time.monotonic() - begun < 2 * CONNECTING + DEADLINE + GRACE


@each_way_by_address
def test_a_host_is_cut_off_and_comes_back(reach: Reach, host: Host) -> None:
    """Before the connection, before a session, in the middle of a command; both ways and each way alone."""
    way = Way(host, reach)
    with way.open() as transport:
        host.partition()
        way.takes(lambda: transport.run(TRUE), Unreachable)
        host.heal()
        assert transport.run(TRUE).status == 0

        host.partition("in")  # nothing arrives, so nothing may have run
        deed = Command(("touch", "/tmp/not"), timeout=DEADLINE, mutates=True)
        way.takes(lambda: transport.run(deed), Unreachable)
        host.heal()
        transport.close()  # TCP says again what was lost when it sees fit, and what comes later waits behind it
        assert transport.run(TRUE).status == 0
        assert host.sh("ls /tmp/not 2>&1 || :").strip().endswith("No such file or directory")

        with ThreadPoolExecutor() as pool:
            ends = pool.submit(way.takes, lambda: transport.run(SLOW), OutcomeUnknown)
            host.sh("timeout 10 sh -c 'until [ -e /tmp/began ]; do sleep 0.02; done'")
            host.partition("out")  # it goes on, and no answer returns
            host.sh("touch /tmp/go")
            ends.result()
        assert host.sh("timeout 20 sh -c 'until [ -s /tmp/ended ]; do sleep 0.02; done'; cat /tmp/ended") == "here\n"
        way.takes(lambda: transport.run(TRUE), Unreachable)
        host.heal()

    with way.open() as transport:
        host.freeze("sshd")
        way.takes(lambda: transport.run(TRUE), Unreachable)
        host.heal()
        assert transport.run(TRUE).status == 0


def test_a_far_host_is_waited_for_once_a_command_but_where_that_mutates(host: Host, lab: Lab) -> None:
    """Its session was opened meanwhile; what mutates is said only to a host that has just answered."""

    def seconds(command: Command) -> float:
        begun = time.monotonic()
        for _ in range(3):
            assert transport.run(command).status == 0
        return time.monotonic() - begun

    with Way(host, SshTransport).open() as transport, far_away(lab.network, 0.3):
        transport.run(TRUE)
        assert seconds(TRUE) < 1.6
        assert seconds(replace(TRUE, mutates=True)) >= 1.8
