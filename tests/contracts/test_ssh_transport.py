"""What every way over SSH promises beyond the contract, on OpenSSH's own server: the right machine, or nothing sent."""

import io
import logging
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from platformctl.errors import InvalidInput, Unreachable, WrongHost
from platformctl.model.command import Command
from platformctl.model.desired import Timeouts
from platformctl.transports.deadline import Deadline
from platformctl.transports.interface import Held
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.sessions import TRIES
from platformctl.transports.ssh import SshTransport
from platformctl.transports.ssh.errand import Session, carry_out
from platformctl.transports.ssh.greeting import pinned_host
from platformctl.transports.ssh.login import log_in
from platformctl.transports.ssh.transport import KEEPALIVE
from tests.contracts.reach import TRUE, Reach, connect, each_way, each_way_by_address
from tests.contracts.sshd import Sshd, fingerprint, make_key
from tests.lab.machine import wait_until

KINDS = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"}


@pytest.mark.parametrize("transport", [SshTransport, OpensshTransport])
def test_a_host_that_says_nothing_is_waited_for_as_long_as_its_entry_says(
    transport: type[SshTransport] | type[OpensshTransport], sshd: Sshd
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entry = replace(sshd.entry(), port=silent.getsockname()[1], timeouts=Timeouts(connect=1))
        begun = time.monotonic()
        with pytest.raises(Unreachable), transport(entry, sshd.environment) as there:
            there.run(TRUE)

    assert 1 <= time.monotonic() - begun < 8


# --- the right machine ----------------------------------------------------------------------------


@each_way
def test_a_pinned_key_is_found_among_several_of_the_host(reach: Reach, fresh: Sshd) -> None:
    fresh.fingerprint("ecdsa")
    connect(reach, fresh.entry(fresh.fingerprint("rsa")), fresh.environment)

    assert "Accepted publickey" in fresh.log


@each_way
def test_any_of_several_pinned_keys_will_do(reach: Reach, sshd: Sshd) -> None:
    connect(reach, sshd.entry("SHA256:" + "A" * 43, sshd.fingerprint("ed25519")), sshd.environment)


@each_way
def test_a_host_without_the_pinned_key_is_refused_with_both_fingerprints(reach: Reach, fresh: Sshd) -> None:
    pinned, shown = "SHA256:" + "A" * 43, (fresh.fingerprint("ed25519"), fresh.fingerprint("rsa"))
    with pytest.raises(WrongHost) as caught:
        connect(reach, fresh.entry(pinned), fresh.environment)

    assert all(print_ in caught.value.detail for print_ in (pinned, *shown))
    assert "host trust throw-away" in caught.value.hint
    assert "publickey" not in fresh.log


@each_way
def test_an_entry_without_a_pinned_key_is_refused_before_connecting(reach: Reach, fresh: Sshd) -> None:
    with pytest.raises(WrongHost):
        connect(reach, replace(fresh.entry(), host_key=()), fresh.environment)
    assert fresh.greeted == 0


@each_way
def test_the_user_root_is_refused_before_connecting(reach: Reach, fresh: Sshd) -> None:
    with pytest.raises(WrongHost) as caught:
        connect(reach, replace(fresh.entry(), user="root"), fresh.environment)
    assert "root" in caught.value.detail
    assert fresh.greeted == 0


@each_way
def test_a_scan_shows_every_key_of_the_host_and_logs_in_nowhere(reach: Reach, fresh: Sshd) -> None:
    keys = {(name, fresh.fingerprint(kind)) for kind, name in KINDS.items()}

    assert set(reach(replace(fresh.entry(), host_key=()), {}).scan_host_keys()) == keys
    assert "publickey" not in fresh.log


# --- who we are -----------------------------------------------------------------------------------


@each_way
def test_a_key_of_the_agent_logs_in(reach: Reach, sshd: Sshd, tmp_path: Path) -> None:
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    try:
        assert agent.stdout
        agent.stdout.readline()  # printed once it listens
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", sshd.folder / "key"], env=environment, check=True)
        connect(reach, sshd.entry(), environment)
    finally:
        agent.terminate()
        agent.wait()


def test_a_key_in_its_usual_place_logs_in_where_the_agent_is_gone(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes((sshd.folder / "key").read_bytes())

    connect(SshTransport, sshd.entry(), {"HOME": str(tmp_path), "SSH_AUTH_SOCK": str(tmp_path / "gone")})


def test_a_stranger_is_unreachable_and_told_what_was_offered(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "stranger")
    with pytest.raises(Unreachable) as caught:
        connect(SshTransport, sshd.entry(), {"HOME": str(tmp_path), "PLATFORMCTL_SSH_KEY": str(key)})

    assert caught.value.reason == "connect"
    assert str(key) in caught.value.detail
    assert caught.value.hint == "platformctl doctor throw-away"


def test_a_key_with_a_passphrase_is_named_with_what_to_do(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="correct horse")
    with pytest.raises(Unreachable) as caught:
        connect(SshTransport, sshd.entry(), {"HOME": str(tmp_path), "PLATFORMCTL_SSH_KEY": str(key)})
    assert f"ssh-add {key}" in caught.value.detail


@pytest.mark.parametrize("content", [b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", b"\xff" * 64])
def test_a_file_that_is_no_key_is_named(sshd: Sshd, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(Unreachable) as caught:
        connect(SshTransport, sshd.entry(), {"HOME": str(tmp_path), "PLATFORMCTL_SSH_KEY": str(tmp_path / "key")})
    assert "can not be read as a private key" in caught.value.detail


def test_without_any_key_the_hint_says_where_to_put_one(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(SshTransport, sshd.entry(), {"HOME": str(tmp_path)})
    assert "PLATFORMCTL_SSH_KEY" in caught.value.hint


# --- the way there --------------------------------------------------------------------------------


@each_way
def test_a_host_that_hangs_up_twice_unheard_is_greeted_a_third_time(reach: Reach, fresh: Sshd) -> None:
    fresh.hang_up_on = 2
    connect(reach, fresh.entry(), fresh.environment)
    assert fresh.greeted == 3


@each_way
def test_a_host_that_always_hangs_up_is_unreachable_after_a_few_times(reach: Reach, fresh: Sshd) -> None:
    fresh.hang_up_on = 99
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        connect(reach, fresh.entry(), fresh.environment, timeout=4)
    assert 3 <= fresh.greeted <= TRIES
    assert time.monotonic() - begun < 4 + 10


def test_a_closed_port_is_unreachable_and_says_so(sshd: Sshd) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable) as caught:
            connect(SshTransport, replace(sshd.entry(), port=port), sshd.environment, timeout=4)

    assert (caught.value.reason, caught.value.host) == ("connect", "throw-away")
    assert caught.value.detail == f"{sshd.user}@127.0.0.1:{port}: connection refused"


@each_way_by_address
@pytest.mark.parametrize(
    "address", ["-oProxyCommand=touch /tmp/x", "-l", "", "a b", "user@host", "host\n", "a/b", None]
)
def test_an_address_that_is_none_is_refused(reach: Reach, sshd: Sshd, address: str | None) -> None:
    transport = reach(replace(sshd.entry(), address=address), sshd.environment)
    for deed in (transport.scan_host_keys, lambda: transport.run(TRUE), lambda: transport.hold(TRUE)):
        with pytest.raises(InvalidInput):
            deed()


def test_a_host_that_is_full_is_greeted_again_until_it_has_room(fresh: Sshd) -> None:
    """sshd drops whoever comes while `MaxStartups` are not logged in yet, before a word."""
    with fresh.as_one_daemon("-o", "MaxStartups=1") as entry, ThreadPoolExecutor(1) as pool:
        with socket.create_connection(("127.0.0.1", entry.port), 10) as first:
            assert first.recv(1)  # it was taken in, and does not log in
            end = pool.submit(connect, SshTransport, entry, fresh.environment, timeout=30)
            wait_until(lambda: "MaxStartups" in fresh.log, "sshd drops who comes")
        end.result()

    assert fresh.log.count("Accepted publickey") == 1


@each_way
def test_a_lost_connection_is_made_again_for_the_next_command(reach: Reach, fresh: Sshd) -> None:
    with reach(fresh.entry(), fresh.environment) as transport:
        transport.run(TRUE)
        transport.close()
        transport.run(TRUE)
    assert fresh.greeted == 2


class Dying:
    """A connection that is lost and does not say so yet."""

    def is_active(self) -> bool:
        return False

    def open_session(self, timeout: float) -> paramiko.Channel:
        raise paramiko.SSHException("it was lost a moment ago")

    def close(self) -> None:
        """It is closed already."""


class Losing(SshTransport):
    """At first its connection is one that dies."""

    dying: Dying | None = Dying()

    def _connected(self) -> paramiko.Transport:
        dying, self.dying = self.dying, None
        return dying or super()._connected()  # type: ignore[return-value]


def test_a_connection_that_is_lost_while_a_session_is_asked_for_is_made_again(fresh: Sshd) -> None:
    with Losing(fresh.entry(), fresh.environment) as transport:
        assert transport.run(TRUE).status == 0
    assert fresh.greeted == 1


class GivenUp(SshTransport):
    """Somebody closes it while a session is asked for."""

    def _connected(self) -> paramiko.Transport:
        self._connection = Dying()  # type: ignore[assignment]
        self.close()
        return self._connection  # type: ignore[return-value]


def test_a_connection_that_was_given_up_meanwhile_is_not_made_again(fresh: Sshd) -> None:
    transport = GivenUp(fresh.entry(), fresh.environment)
    with pytest.raises(Unreachable) as caught:
        transport.run(TRUE)
    assert "given up" in caught.value.detail


class GivenUpEarly(SshTransport):
    """Somebody closes it while it connects."""

    def _connect(self) -> paramiko.Transport:
        connection = super()._connect()
        self.close()
        return connection


def test_a_connection_that_was_given_up_before_it_was_there_carries_nothing(fresh: Sshd) -> None:
    transport = GivenUpEarly(fresh.entry(), fresh.environment)
    with pytest.raises(Unreachable) as caught:
        transport.run(TRUE)
    assert "given up" in caught.value.detail
    assert transport._connection is not None
    assert not transport._connection.is_active()


@each_way
def test_one_connection_carries_every_command(reach: Reach, fresh: Sshd) -> None:
    with reach(fresh.entry(), fresh.environment) as transport:
        for _ in range(12):
            transport.run(TRUE)
    assert fresh.greeted == 1


@each_way
def test_a_ninth_channel_waits_for_one_of_eight(reach: Reach, sshd: Sshd) -> None:
    with reach(sshd.entry(), sshd.environment) as transport:
        held: list[Held] = [transport.hold(Command(("cat",))) for _ in range(8)]
        with pytest.raises(Unreachable):
            transport.run(Command(("true",), timeout=0.1))
        held.pop().release()

        assert transport.run(TRUE).status == 0
        for one in held:
            one.release()


class Late(threading.Event):
    """Whether one may send, told by `sender` to itself at once and to others only after its goodbye for `channel`."""

    def __init__(self, sender: threading.Thread, channel: paramiko.Channel) -> None:
        super().__init__()
        super().set()
        self._sender, self._channel = sender, channel
        self._goodbye = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        if threading.current_thread() is not self._sender and self._channel.eof_sent:
            assert self._goodbye.wait(10)
        return super().wait(timeout)

    def is_set(self) -> bool:
        if threading.current_thread() is self._sender and self._channel.closed:
            self._goodbye.set()  # it holds what others wait for until the goodbye is sent
        return super().is_set()


def test_an_end_of_input_that_comes_after_the_goodbye_ends_no_other_command(sshd: Sshd) -> None:
    connection = pinned_host(sshd.entry(), 5)
    with closing(connection):
        log_in(connection, sshd.entry(), sshd.environment, 5)
        other, first = connection.open_session(), connection.open_session()
        other.exec_command("cat")
        connection.clear_to_send = Late(connection, first)

        assert carry_out(Session(first), "true", b"", Deadline.after(10))
        assert carry_out(Session(connection.open_session()), "echo still here", b"", Deadline.after(10))
        assert not other.closed


def test_sessions_that_are_refused_together_are_all_called_refused(fresh: Sshd) -> None:
    fresh.is_also_told("MaxSessions 1")
    with SshTransport(fresh.entry(), fresh.environment) as transport, ThreadPoolExecutor(7) as pool:
        held = transport.hold(Command(("cat",)))
        asked = [pool.submit(transport.run, TRUE) for _ in range(7)]
        refusals = [future.exception() for future in asked]
        held.release()

    at = f"{fresh.user}@127.0.0.1:{fresh.listener.getsockname()[1]}"
    said = f"{at}: it opened no session: refused; an apply needs two at once (MaxSessions of sshd)"
    assert [str(refusal.detail) for refusal in refusals if isinstance(refusal, Unreachable)] == 7 * [said]


def test_neither_paramiko_nor_its_threads_speak_for_themselves(fresh: Sshd, capfd: pytest.CaptureFixture[str]) -> None:
    fresh.hang_up_on = 99
    heard = io.StringIO()
    ear, root = logging.StreamHandler(heard), logging.getLogger()
    root.addHandler(ear)
    try:
        with pytest.raises(Unreachable):
            connect(SshTransport, fresh.entry(), fresh.environment, timeout=4)
    finally:
        root.removeHandler(ear)

    assert (heard.getvalue(), capfd.readouterr()) == ("", ("", ""))


@each_way
def test_a_fingerprint_is_written_as_openssh_writes_it(reach: Reach, fresh: Sshd) -> None:
    assert reach(fresh.entry(), {}).scan_host_keys() == (("ssh-ed25519", fingerprint(fresh.folder / "host_ed25519")),)


# --- what is agreed on -----------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("lax", ["Ciphers aes128-cbc,aes256-cbc,3des-cbc", "HostKeyAlgorithms ssh-rsa"])
def test_a_host_that_only_has_what_is_broken_is_not_spoken_to(reach: Reach, fresh: Sshd, lax: str) -> None:
    fresh.fingerprint("rsa")
    fresh.is_also_told(lax)
    with pytest.raises(Unreachable):
        connect(reach, fresh.entry(), fresh.environment, timeout=2)
    assert "publickey" not in fresh.log


def test_a_host_that_only_has_old_macs_is_not_spoken_to(fresh: Sshd) -> None:
    """By paramiko. Which ones the ssh program takes is its own and the operator's to say."""
    fresh.is_also_told("MACs hmac-sha1,hmac-md5\nCiphers aes128-ctr")
    with pytest.raises(Unreachable):
        connect(SshTransport, fresh.entry(), fresh.environment, timeout=2)


def test_the_cheap_key_exchange_and_cipher_come_first_and_nothing_waits_for_more_to_send(ssh: SshTransport) -> None:
    ssh.run(TRUE)
    connection = ssh._connection
    assert connection
    assert connection.get_security_options().kex[0] == "curve25519-sha256@libssh.org"
    assert connection.local_cipher == vars(connection)["remote_cipher"] == "aes128-gcm@openssh.com"
    assert isinstance(connection.sock, socket.socket)
    assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert connection.packetizer._Packetizer__keepalive_interval == KEEPALIVE  # type: ignore[attr-defined]
