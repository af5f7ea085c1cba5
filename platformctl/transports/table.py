"""Find the transport of a host by the name in its entry."""

from collections.abc import Callable, Iterable, Mapping

from platformctl.errors import PolicyViolation
from platformctl.model.desired import HostEntry
from platformctl.sockets import TRANSPORTS
from platformctl.transports.interface import ShowsHostKeys, Transport


def transport_for(entry: HostEntry, environment: Mapping[str, str]) -> Transport:
    """Return the transport that `entry` names, not yet connected.

    `environment` is the operator's. HOME, PATH, SSH_AUTH_SOCK and PLATFORMCTL_SSH_KEY count for every transport; the
    rest goes to programs that a transport runs on this machine, never to a host. Raises `PolicyViolation` when there is
    no such transport, `ToolError` when there is one that can not be loaded.
    """
    maker: Callable[[HostEntry, Mapping[str, str]], Transport] | None = TRANSPORTS.find(entry.transport)
    if maker is None:
        raise PolicyViolation(
            "no such transport",
            detail=f"host {entry.name} wants {entry.transport!r}; there are: {', '.join(TRANSPORTS.names)}",
            hint="name one of these in .platform/hosts.yaml, or install the package that brings the transport",
            host=entry.name,
        )
    return maker(entry, environment)


def load(entries: Iterable[HostEntry]) -> None:
    """Import the transports of these hosts ahead of use; raise what would also be raised when a host is reached."""
    for name in sorted({entry.transport for entry in entries}):
        TRANSPORTS.find(name)


def scan_host_keys(entry: HostEntry, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return kind and fingerprint of every key that the entry's host shows.

    Raises as `transport_for` does, `PolicyViolation` for a transport without host keys, and `Unreachable`.
    """
    with transport_for(entry, environment) as transport:
        if not isinstance(transport, ShowsHostKeys):
            raise PolicyViolation(
                "this transport knows no host keys", detail=f"host {entry.name}: {entry.transport}", host=entry.name
            )
        return transport.scan_host_keys()
