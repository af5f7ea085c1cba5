"""From an entry of the allow-list to a master that is logged in to the pinned machine.

ssh ends with 255 whatever went wrong, and nothing may be decided by its words. The key that the host showed, as the
configuration has it written down, is what tells apart a host that can not be reached, one that is a stranger, and one
that does not let us in.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from platformctl.errors import ToolError, Unreachable
from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import KEY_KINDS, Kind, refuse_address, refuse_unpinned, stranger, unreachable
from platformctl.transports.openssh.configuration import Settings, written
from platformctl.transports.openssh.master import Key, Master
from platformctl.transports.sessions import pauses

TRIES = 5
"""How often a host that shows no key is greeted.

Fewer times than elsewhere, as ssh does not tell a closed port from a host with too many callers.
"""

CONNECTING = 10
"""Seconds for reaching a host and agreeing on keys; a person may take longer to touch a hardware key."""


class Greeting(NamedTuple):
    """How one run of ssh ended: `master` if we are logged in; `shown` is None if the host did not get to its key."""

    master: Master | None
    shown: Key | None
    words: str = ""


def pinned_master(entry: HostEntry, environment: Mapping[str, str], timeout: float) -> Master:
    """Return a master that is logged in to a host with a key that `entry` pins.

    A host with several keys is greeted again, without the kinds it has shown, until a pinned one is found. Raises
    `WrongHost` when none is or when the entry names root, `Unreachable` when nobody answers or lets us in within
    `timeout` seconds, `ToolError` if there is no ssh.
    """
    refuse_unpinned(entry)
    deadline = Deadline.after(timeout)
    found: list[str] = []
    for greeting in _greetings(entry, environment, deadline):
        if greeting.master is not None:
            return greeting.master
        if greeting.shown is None and (not found or deadline.passed):
            raise _silent(entry, greeting, deadline)
        if greeting.shown is None:
            break
        if greeting.shown.fingerprint in entry.host_key:
            late = f" within {timeout:g} s" if deadline.passed else ""
            raise unreachable(entry, _said(f"it showed the pinned key and let us in by none of ours{late}", greeting))
        found.append(greeting.shown.fingerprint)
    raise stranger(entry, found)


def scan(entry: HostEntry, environment: Mapping[str, str], timeout: float) -> tuple[tuple[str, str], ...]:
    """Do what `OpensshTransport.scan_host_keys` does."""
    refuse_address(entry)
    keys, deadline = list[Key](), Deadline.after(timeout)
    for greeting in _greetings(replace(entry, host_key=()), environment, deadline):
        if greeting.shown is None and not keys:
            raise _silent(entry, greeting, deadline)
        keys.extend([greeting.shown] if greeting.shown else [])
    return tuple(keys)


def _greetings(entry: HostEntry, environment: Mapping[str, str], deadline: Deadline) -> Iterator[Greeting]:
    """Yield one greeting for each kind of key the host has, and one without a key unless all kinds were shown.

    A host that shows no key may have hung up because of too many callers, and is greeted again: several times if it has
    shown nothing yet, else once, as it mostly means that there is no other kind.
    """
    if shutil.which("ssh", path=environment.get("PATH")) is None:
        raise ToolError("a program is missing", detail="ssh is not on the PATH", hint="install OpenSSH's client, 8.5+")
    left, waits = KEY_KINDS, islice(pauses(deadline), TRIES - 1)
    while left:
        greeting = _greet(entry, left, environment, deadline)
        if not (greeting.master or greeting.shown) and (pause := next(waits, None)) is not None:
            time.sleep(pause)
            continue
        yield greeting
        if greeting.shown is None:
            return
        left = tuple(kind for kind in left if not _proves(kind, greeting.shown))
        waits = islice(pauses(deadline), 1)


def _greet(entry: HostEntry, kinds: tuple[Kind, ...], environment: Mapping[str, str], deadline: Deadline) -> Greeting:
    master = Master()
    try:
        settings = Settings(
            folder=master.folder,
            algorithms=[algorithm for kind in kinds for algorithm in kind],
            home=environment.get("HOME", "/"),
            key=environment.get("PLATFORMCTL_SSH_KEY"),
            patience=max(1, min(entry.timeouts.connect or CONNECTING, int(deadline.left))),
        )
        if master.start(written(entry, settings), entry.name, environment, deadline):
            return Greeting(master, master.shown())
        ended = Greeting(None, master.shown(), master.last_words())
    except BaseException:
        master.close()
        raise
    master.close()
    return ended


def _proves(kind: Kind, key: Key) -> bool:
    return key.kind in kind or (key.kind == "ssh-rsa" and "rsa-sha2-512" in kind)


def _silent(entry: HostEntry, greeting: Greeting, deadline: Deadline) -> Unreachable:
    return unreachable(entry, "no answer in time" if deadline.passed else _said("it showed no host key", greeting))


def _said(what: str, greeting: Greeting) -> str:
    return f"{what}; ssh says: {greeting.words}" if greeting.words else what
