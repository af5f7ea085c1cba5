"""From an entry of the allow-list to a master that is logged in to the pinned machine.

ssh ends with 255 whatever went wrong, and its words are not for deciding. What tells apart who can not be reached, who
is a stranger and who does not let us in is the key that the host showed, as the configuration has it written down.
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
"""Greetings of a host that shows no key; fewer than elsewhere, as ssh does not tell a closed port from a full house."""

CONNECTING = 10
"""Seconds for reaching a host and agreeing on keys with it; a person may take longer to touch a hardware key."""


class Greeting(NamedTuple):
    """How one run of ssh went: with a master, we are logged in; without `shown`, the host did not come to its key."""

    master: Master | None
    shown: Key | None
    words: str = ""


def pinned_master(entry: HostEntry, environment: Mapping[str, str], timeout: float) -> Master:
    """Return a master that is logged in to a host with a key that `entry` pins.

    A host with several keys is greeted again, without the kinds it has shown, until a pinned one is found. Raises
    `WrongHost` when none is or when the entry names root, `Unreachable` when nobody answers or nobody is let in within
    `timeout` seconds, `ToolError` where there is no ssh.
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
    """As `OpensshTransport.scan_host_keys`."""
    refuse_address(entry)
    keys, deadline = list[Key](), Deadline.after(timeout)
    for greeting in _greetings(replace(entry, host_key=()), environment, deadline):
        if greeting.shown is None and not keys:
            raise _silent(entry, greeting, deadline)
        keys.extend([greeting.shown] if greeting.shown else [])
    return tuple(keys)


def _greetings(entry: HostEntry, environment: Mapping[str, str], deadline: Deadline) -> Iterator[Greeting]:
    """Greet the host once for each kind of key it has, and once more in vain, unless it was the last kind.

    Whoever shows no key may have hung up for having too many callers, and is asked again: for as long as there is hope
    when nothing was shown yet, else once, as it mostly means that there is no other kind.
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
