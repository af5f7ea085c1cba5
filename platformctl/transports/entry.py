"""What every transport over SSH checks in an entry before it connects, and how it refuses a host it can not reach."""

import re

from platformctl.errors import InvalidInput, OutcomeUnknown, Unreachable, WrongHost
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry

Kind = tuple[str, ...]

KEY_KINDS: tuple[Kind, ...] = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256",),
    ("ecdsa-sha2-nistp384",),
    ("ecdsa-sha2-nistp521",),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
"""The algorithms with which a host key of each kind can prove itself, preferred kinds first."""

_PLAIN = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}\Z")


def refuse_unpinned(entry: HostEntry) -> None:
    """Raise `WrongHost` for the user root and for an entry without a pinned key.

    Raises `InvalidInput` as `refuse_address` does.
    """
    refuse_address(entry)
    if entry.user == "root":
        raise WrongHost(
            "uid 0 is refused",
            detail=f"host {entry.name} names the user root",
            hint=f"name a user of its own in .platform/hosts.yaml; platformctl host prepare {entry.name} makes one",
            host=entry.name,
        )
    if not entry.host_key:
        raise WrongHost(
            "no host key is pinned",
            detail=f"host {entry.name} has no host_key, so that anybody could answer for it",
            hint=f"platformctl host trust {entry.name}",
            host=entry.name,
        )


def refuse_address(entry: HostEntry) -> None:
    """Raise `InvalidInput` if name, address or user could hide an option, a second word or a pattern."""
    for name, text in (("name", entry.name), ("address", entry.address), ("user", entry.user)):
        if not _PLAIN.match(text or ""):
            raise InvalidInput(
                f"not a usable {name}",
                detail=f"host {entry.name}: {name} is missing, or is not letters, digits and . _ : - alone",
                hint=f"correct the {name} in .platform/hosts.yaml",
                host=entry.name,
            )


def stranger(entry: HostEntry, found: list[str]) -> WrongHost:
    """Return the refusal for a host that has none of the pinned keys; `found` are the fingerprints it showed."""
    return WrongHost(
        "the machine that answered is not the one that was pinned",
        detail=f"host {entry.name}: expected {' or '.join(entry.host_key)}, found {' and '.join(found)}; "
        "no login was tried and nothing was sent",
        hint=f"if the host was installed anew, look at its key there, then: platformctl host trust {entry.name}",
        host=entry.name,
    )


def unreachable(entry: HostEntry, what: str, *, hint: str = "") -> Unreachable:
    """Return the refusal for a host to which nothing was sent; `what` says why."""
    return Unreachable(
        "the host can not be reached",
        detail=f"{entry.user}@{entry.address or entry.dns_name}:{entry.port}: {what}",
        hint=hint or f"platformctl doctor {entry.name}",
        reason="connect",
        host=entry.name,
    )


def unseen(entry: HostEntry, command: Command) -> OutcomeUnknown:
    """Return the exception for a command that was sent and whose end was not seen."""
    return OutcomeUnknown(
        "the end of a command was not seen",
        host=entry.name,
        detail=f"{command.argv[0]}: its {command.timeout:g} s passed, the connection was lost or a signal ended it",
    )
