"""The wires of one lab: a switch in a namespace of its own, a port for this machine, a port for each host.

The switch has no addresses and no part in this machine's firewall (Docker sets FORWARD to DROP there), and faults
are rules on its ports, so that a cut looks like a real one: ARP still works and packets vanish. 198.18.0.0/15 is
reserved for tests of networks (RFC 2544), so it meets neither Docker's pools nor anybody's real addresses.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab.machine import LabError, run

NAMESPACES = Path("/run/netns")
Direction = Literal["in", "out"]
PORT_SIDE: dict[Direction, str] = {"in": "-o", "out": "-i"}
"""The switch sends out of a port what goes into the host."""


@dataclass(frozen=True)
class Network:
    number: int

    @property
    def prefix(self) -> str:
        return f"pctl{self.number}"

    @property
    def switch(self) -> str:
        return f"{self.prefix}-switch"

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def namespace_path(self, host: str) -> Path:
        return NAMESPACES / self.namespace(host)

    def namespaces(self) -> list[Path]:
        return list(NAMESPACES.glob(f"{self.prefix}-*"))

    def address(self, index: int) -> str:
        """Hosts count from 1; `.1` is this machine."""
        return f"198.18.{self.number}.{10 + index}"

    def create(self) -> None:
        _ip(
            f"netns add {self.switch}",
            f"link add {self.prefix} type veth peer name machine netns {self.switch}",
            f"address add 198.18.{self.number}.1/24 dev {self.prefix}",
            f"link set {self.prefix} up",
        )
        _ip(
            "link add switch type bridge",
            "link set switch up",
            "link set machine master switch up",
            inside=self.switch,
        )

    def connect(self, host: str, index: int) -> None:
        """The same card at every boot, else this machine would go on sending to the one it knew."""
        namespace = self.namespace(host)
        card = f"02:00:00:00:{self.number:02x}:{index:02x}"
        _ip(f"netns add {namespace}")
        _ip(
            f"link add {host} type veth peer name eth0 address {card} netns {namespace}",
            f"link set {host} master switch up",
            inside=self.switch,
        )
        _ip(
            f"address add {self.address(index)}/24 dev eth0",
            "link set lo up",
            "link set eth0 up",
            inside=namespace,
        )

    def disconnect(self, host: str) -> None:
        """With the namespace go Docker's bridges, rules and the port; the kernel does that in its own time."""
        _ip(f"link delete {host}", inside=self.switch)
        _ip(f"netns delete {self.namespace(host)}")

    def remove(self) -> None:
        with suppress(LabError):  # it may never have been made, or have gone with the switch
            _ip(f"link delete {self.prefix}")
        for namespace in self.namespaces():
            _ip(f"netns delete {namespace.name}")

    def cut(self, host: str, direction: Direction) -> None:
        self._rule("-A", host, direction)

    def mend(self, host: str, direction: Direction) -> None:
        self._rule("-D", host, direction)

    def _rule(self, action: str, host: str, direction: Direction) -> None:
        inside = ("nsenter", f"--net={NAMESPACES / self.switch}")
        run(*inside, "ebtables-nft", action, "FORWARD", PORT_SIDE[direction], host, "-p", "IPv4", "-j", "DROP")


def _ip(*commands: str, inside: str | None = None) -> None:
    where = ("-n", inside) if inside else ()
    run("ip", *where, "-batch", "-", stdin="\n".join(commands).encode())
