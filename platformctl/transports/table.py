"""The transport of a host, by the name in its entry."""

from collections.abc import Callable, Iterable, Mapping

from platformctl.errors import PolicyViolation
from platformctl.model.desired import HostEntry
from platformctl.sockets import TRANSPORTS
from platformctl.transports.interface import ShowsHostKeys, Transport


def transport_for(entry: HostEntry, environment: Mapping[str, str]) -> Transport:
    """Return the transport that `entry` names, not yet connected.

    `environment` is the operator's. HOME, PATH, SSH_AUTH_SOCK and PLATFORMCTL_SSH_KEY count everywhere; the rest goes
    to the programs of theirs that a transport runs, never to a host. Raises `PolicyViolation` when there is no such
    transport, `ToolError` when it is there and can not be loaded.
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
    """Load what these hosts will be reached by; raises what goes wrong, which who reaches a host meets again."""
    for name in sorted({entry.transport for entry in entries}):
        TRANSPORTS.find(name)


def scan_host_keys(entry: HostEntry, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Kind and fingerprint of every key that the entry's host shows; raises as `transport_for`, and `Unreachable`."""
    with transport_for(entry, environment) as transport:
        if not isinstance(transport, ShowsHostKeys):
            raise PolicyViolation(
                "this transport knows no host keys", detail=f"host {entry.name}: {entry.transport}", host=entry.name
            )
        return transport.scan_host_keys()
