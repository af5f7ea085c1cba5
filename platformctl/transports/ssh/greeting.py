"""From an entry of the allow-list to an encrypted connection with the pinned machine; nobody is logged in yet."""

import socket
import threading
import time
from collections.abc import Iterator

import paramiko

from platformctl.model.desired import HostEntry
from platformctl.transports.deadline import Deadline
from platformctl.transports.entry import KEY_KINDS, Kind, refuse_address, refuse_unpinned, stranger, unreachable
from platformctl.transports.sessions import pauses
from platformctl.transports.ssh.connection import Connection
from platformctl.transports.ssh.refusals import in_words

CLOSED_ALGORITHMS = {
    "ciphers": ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"),
    "macs": ("hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"),
}
CHEAP_EXCHANGE = "curve25519-sha256@libssh.org"
"""Takes a tenth of the processor time of the post-quantum exchange, which counts with many hosts."""
CHEAP_CIPHER = "aes128-gcm@openssh.com"
"""Proves a packet whole by itself; other proofs paramiko compares in Python, byte by byte."""

SILENCE = 20_000
"""Milliseconds after which the kernel gives up a connection on which nothing is acknowledged: the lock's lease."""


def pinned_host(entry: HostEntry, timeout: float) -> paramiko.Transport:
    """Return a connection whose host proved a key that `entry` pins.

    A host with several keys is greeted again, without the kinds it has shown, until a pinned one is found. Raises
    `WrongHost` when none is or when the entry names root, `Unreachable` when nobody answers. `timeout` seconds are
    for connecting and again for the handshake.
    """
    refuse_unpinned(entry)
    found = []
    for transport in _greetings(entry, timeout):
        if fingerprint(transport) in entry.host_key:
            return transport
        found.append(fingerprint(transport))
        transport.close()
    raise stranger(entry, found)


def scan_host_keys(entry: HostEntry, timeout: float) -> tuple[tuple[str, str], ...]:
    """Do what `SshTransport.scan_host_keys` does."""
    refuse_address(entry)
    keys = []
    for transport in _greetings(entry, timeout):
        keys.append((transport.get_remote_server_key().get_name(), fingerprint(transport)))
        transport.close()
    return tuple(keys)


def fingerprint(transport: paramiko.Transport) -> str:
    """Return the key that the host proved to have, as OpenSSH writes it: `SHA256:` and base64 without padding."""
    return transport.get_remote_server_key().fingerprint


def _greetings(entry: HostEntry, timeout: float) -> Iterator[paramiko.Transport]:
    """Yield a connection for each kind of key that the host has. The caller closes what it does not use."""
    left = KEY_KINDS
    transport = _greet(entry, left, timeout)
    if transport is None:
        raise unreachable(entry, "no algorithm in common")
    while transport is not None:
        shown = transport.host_key_type
        yield transport
        left = tuple(kind for kind in left if shown not in kind)
        transport = _greet(entry, left, timeout) if left else None


def _greet(entry: HostEntry, kinds: tuple[Kind, ...], timeout: float) -> paramiko.Transport | None:
    """Shake hands; return None when the host has no key of these kinds.

    A host that hangs up before it said anything is tried again.
    """
    waits = pauses(Deadline.after(timeout))
    while True:
        transport = _shake_hands(entry, kinds, timeout)
        if transport.is_active():
            return transport
        failure, pause = transport.get_exception(), next(waits, None)
        if isinstance(failure, paramiko.ssh_exception.IncompatiblePeer):
            return None
        if transport.remote_version or pause is None:
            raise unreachable(entry, in_words(failure)) from failure
        time.sleep(pause)


def _shake_hands(entry: HostEntry, kinds: tuple[Kind, ...], timeout: float) -> paramiko.Transport:
    transport = Connection(_dial(entry, timeout), disabled_algorithms=CLOSED_ALGORITHMS)
    transport.banner_timeout = transport.handshake_timeout = timeout + 60  # so that the wait below ends first
    options = transport.get_security_options()
    options.key_types = tuple(algorithm for kind in kinds for algorithm in kind)
    options.kex = (CHEAP_EXCHANGE, *(name for name in options.kex if name != CHEAP_EXCHANGE))
    options.ciphers = (CHEAP_CIPHER, *(name for name in options.ciphers if name != CHEAP_CIPHER))
    over = threading.Event()
    transport.start_client(event=over)
    if not over.wait(timeout):
        transport.close()
        raise unreachable(entry, in_words(TimeoutError()))
    return transport


def _dial(entry: HostEntry, timeout: float) -> socket.socket:
    try:
        connection = socket.create_connection((entry.address, entry.port), timeout)
    except (OSError, UnicodeError) as error:
        raise unreachable(entry, in_words(error)) from error
    # Without TCP_NODELAY, an exec on an open connection waits 40 ms for a delayed acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE)
    return connection
