"""Which peer of the tailnet is the pinned host, and whether it may be connected to. Pure: the status is an argument.

A peer is recognised by its stable id, which only the control server gives out, and by its DNS name. Its HostName is not
read: it is what the machine calls itself, so anybody can have anybody's.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from platformctl.errors import InvalidInput, Unreachable, WrongHost
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.transports.entry import stranger, unreachable


@dataclass(frozen=True)
class Peer:
    """The address of the pinned peer, and whether tailscale's own SSH server answers there."""

    address: str
    has_tailscale_ssh: bool


def find_peer(entry: HostEntry, status: Any) -> Peer:
    """Return the peer that `entry` pins.

    Raises `WrongHost` when another machine has its name, when it has another name, or shows other host keys than are
    pinned; `Unreachable` when it is not there, offline or expired, and when tailscale itself is not running;
    `InvalidInput` when the entry pins no peer.
    """
    if not (entry.node_id and entry.dns_name):
        raise InvalidInput(
            "a tailscale host is not pinned to a peer",
            detail=f"host {entry.name} has no node_id or no dns_name",
            hint="tailscale status --json shows both: ID and DNSName",
            host=entry.name,
        )
    state = _text(status, "BackendState")
    if state != "Running":
        shown = state if state.isalpha() else "in a state that is not known"
        raise unreachable(entry, f"tailscale on this machine is {shown}", hint="tailscale up")
    found = _pinned(entry, list(_peers(entry, status)))
    _refuse_absent(entry, found)
    keys = [fingerprint for fingerprint in map(_fingerprint, _texts(found, "sshHostKeys")) if fingerprint]
    if keys and entry.host_key and not set(keys) & set(entry.host_key):
        raise stranger(entry, keys)
    return Peer(_address(entry, found), bool(keys))


def _pinned(entry: HostEntry, peers: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    by_id = [peer for peer in peers if peer.get("ID") == entry.node_id]
    by_name = [peer for peer in peers if _name(peer) == entry.dns_name]
    if len(by_id) == 1 and by_id == by_name:
        return by_id[0]
    if by_id or by_name:
        raise _another(entry, f"{entry.dns_name} and the id {entry.node_id} do not belong to one and the same peer")
    raise unreachable(entry, f"the tailnet shows no peer with the id {entry.node_id}", hint="tailscale status")


def _refuse_absent(entry: HostEntry, peer: Mapping[str, Any]) -> None:
    if peer.get("Expired"):
        raise unreachable(entry, "the peer's key has expired", hint="log in to tailscale again on the host")
    if peer.get("Online") is not True:
        raise unreachable(entry, "the peer is offline", hint="see whether the host is up and tailscaled runs there")


def _address(entry: HostEntry, peer: Mapping[str, Any]) -> str:
    """Return the first of the peer's addresses, or the pinned one, which must be among them."""
    addresses = _texts(peer, "TailscaleIPs")
    try:
        known = [str(ip_address(address)) for address in addresses]
    except ValueError as error:
        raise _garbled(entry) from error
    if not known:
        raise unreachable(entry, "the peer has no address", hint="tailscale status")
    if entry.address is not None and entry.address not in known:
        raise _another(entry, f"it has the address {' and '.join(known)}; pinned is {entry.address}")
    return entry.address or known[0]


def _peers(entry: HostEntry, status: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every peer; a tailnet of one has none (null)."""
    peers = status.get("Peer") or {}
    if not isinstance(peers, dict) or not all(isinstance(peer, dict) for peer in peers.values()):
        raise _garbled(entry)
    yield from peers.values()


def _name(peer: Mapping[str, Any]) -> str:
    """Return the DNS name as hosts.yaml has it; tailscale ends it with a dot."""
    return _text(peer, "DNSName").removesuffix(".").lower()


def _text(holder: Any, key: str) -> str:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else ""


def _texts(holder: Mapping[str, Any], key: str) -> list[str]:
    value = holder.get(key)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _fingerprint(public_key: str) -> str | None:
    """Return the fingerprint of a line `ssh-ed25519 AAAA…` as OpenSSH writes it; None if it is no such line."""
    words = public_key.split()
    try:
        digest = hashlib.sha256(base64.b64decode(words[1], validate=True)).digest()
    except (IndexError, binascii.Error, ValueError):
        return None
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _another(entry: HostEntry, detail: str) -> WrongHost:
    return WrongHost(
        "another peer than the pinned one",
        detail=f"host {entry.name}: {detail}; no login was tried and nothing was sent",
        hint=f"tailscale status --json; if the machine was replaced on purpose: platformctl host trust {entry.name}",
        host=entry.name,
    )


def _garbled(entry: HostEntry) -> Unreachable:
    return unreachable(entry, "tailscale's status is not in the form that is known", hint="tailscale version")
