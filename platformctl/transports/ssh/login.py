"""Log in with keys alone: the agent's, then those in files. There are no passwords."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import paramiko
from paramiko.agent import AgentSSH
from paramiko.pkey import UnknownKeyType

from platformctl.errors import Unreachable
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import unreachable
from platformctl.transports.ssh.refusals import LOST

KEY_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
"""Names below ~/.ssh, those that the ssh program tries."""


@dataclass(frozen=True)
class Identity:
    """A key and where it comes from, or the reason why it can not be offered."""

    label: str
    key: paramiko.PKey | None = None
    excuse: str = ""


def lets_in_without_key(transport: paramiko.Transport, entry: HostEntry, timeout: float) -> bool:
    """Return whether the host lets us in without a key (RFC 4252, 5.2: "none"), and log in if so.

    The network has proved who we are then. Otherwise the connection is of no further use: paramiko would announce its
    next try in a way that not every server accepts twice.
    """
    transport.auth_timeout = timeout
    with contextlib.suppress(*LOST):
        transport.auth_none(entry.user or "")
    return transport.is_authenticated()


def log_in(transport: paramiko.Transport, entry: HostEntry, environment: Mapping[str, str], timeout: float) -> None:
    """Offer one key after the other until the host accepts one, for `timeout` seconds in all.

    Raises `Unreachable` when it accepts none, naming what was offered and what could not be.
    """
    deadline, tried = Deadline.after(timeout), []
    with _identities(environment, timeout) as identities:
        for identity in identities:
            tried.append(f"{identity.label}{identity.excuse}")
            if identity.key and _is_accepted(transport, entry, identity.key, deadline):
                return
            if not transport.is_active() or deadline.passed:
                break
    raise _refused(entry, tried)


def _is_accepted(transport: paramiko.Transport, entry: HostEntry, key: paramiko.PKey, deadline: Deadline) -> bool:
    answered = threading.Event()
    with contextlib.suppress(*LOST):
        transport.auth_publickey(entry.user or "", key, event=answered)
        answered.wait(deadline.left)
    return transport.is_authenticated()


@contextmanager
def _identities(environment: Mapping[str, str], timeout: float) -> Iterator[Iterator[Identity]]:
    """Yield every identity once.

    The agent is asked to sign while they are tried, so its connection must outlive the list.
    """
    with _agent(environment.get("SSH_AUTH_SOCK"), timeout) as agent:
        yield _each_once([*agent, *_from_files(environment)])


def _each_once(identities: list[Identity]) -> Iterator[Identity]:
    """Yield each key once.

    sshd counts each offer against its MaxAuthTries, and the agent often holds the same keys as the files.
    """
    seen = set()
    for identity in identities:
        public = identity.key.asbytes() if identity.key else identity.label.encode()
        if public not in seen:
            seen.add(public)
            yield identity


class _Agent(AgentSSH):
    """The agent at a given socket; paramiko's own class would read this process's environment."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)  # type: ignore[attr-defined]  # its subclasses' way in, absent from the stubs


@contextmanager
def _agent(path: str | None, timeout: float) -> Iterator[list[Identity]]:
    if not path:
        yield []
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        yield _keys_of_agent(connection, path, timeout)


def _keys_of_agent(connection: socket.socket, path: str, timeout: float) -> list[Identity]:
    connection.settimeout(timeout)
    try:
        connection.connect(path)
        keys = _Agent(connection).get_keys()
    except LOST:
        return [Identity("the agent", excuse=" (does not answer)")]
    return [Identity(f"the agent's {key.get_name()}", key) for key in keys]


def _from_files(environment: Mapping[str, str]) -> list[Identity]:
    chosen = environment.get("PLATFORMCTL_SSH_KEY")
    folder = Path(environment.get("HOME", "/"), ".ssh")
    usual = [folder / name for name in KEY_FILES]
    return [*([_from_file(Path(chosen))] if chosen else []), *(_from_file(path) for path in usual if path.exists())]


def _from_file(path: Path) -> Identity:
    try:
        return Identity(str(path), paramiko.PKey.from_path(path))
    except (TypeError, paramiko.PasswordRequiredException):
        # cryptography raises TypeError when a passphrase is missing.
        return Identity(str(path), excuse=f" (has a passphrase: ssh-add {path})")
    except (OSError, ValueError, UnknownKeyType, paramiko.SSHException):
        return Identity(str(path), excuse=" (can not be read as a private key)")


def _refused(entry: HostEntry, tried: list[str]) -> Unreachable:
    if not tried:
        what, hint = "there is no key to log in with", "load one with ssh-add, or name its file in PLATFORMCTL_SSH_KEY"
    else:
        what, hint = f"the host accepted none of: {', '.join(tried)}", ""
    return unreachable(entry, what, hint=hint)
