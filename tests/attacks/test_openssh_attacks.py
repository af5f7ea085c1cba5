"""What somebody on the way, on this machine or in the operator's settings would like the ssh program to do."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.errors import Unreachable, WrongHost
from platformctl.model.command import Command
from platformctl.transports.deadline import Deadline
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.openssh.multiplexing import Gone, Session
from tests.contracts.odd_host import OddHost, odd_host

SECRET = Command(("docker", "compose", "up"), b"a secret")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[OddHost, OddHost]]:
    """The pinned host, and an impostor who lets everybody in to hear what they say."""
    with ExitStack() as stack:
        pinned, impostor = (stack.enter_context(odd_host(tmp_path / name)) for name in ("pinned", "impostor"))
        yield pinned, impostor


def settings(host: OddHost, text: str) -> dict[str, str]:
    """The environment of an operator whose ~/.ssh/config says `text`."""
    (host.folder / ".ssh").mkdir(exist_ok=True)
    (host.folder / ".ssh/config").write_text(text)
    return {**host.environment, "PATH": os.environ["PATH"]}


LAX = """
StrictHostKeyChecking no
UserKnownHostsFile {folder}/everybody
GlobalKnownHostsFile {folder}/everybody
KnownHostsCommand /bin/cat {folder}/everybody
NoHostAuthenticationForLocalhost yes
VerifyHostKeyDNS yes
UpdateHostKeys yes
HostKeyAlias everybody
"""


def test_lax_settings_of_the_operator_pin_nothing_less(hosts: tuple[OddHost, OddHost]) -> None:
    pinned, impostor = hosts
    key = impostor.key.export_public_key().decode().strip()
    (pinned.folder / "everybody").write_text(f"* {key}\n")
    environment = settings(pinned, LAX.format(folder=pinned.folder))
    entry = replace(pinned.entry, port=impostor.port)
    for deed in ("run", "hold"):
        with OpensshTransport(entry, environment) as transport, pytest.raises(WrongHost):
            getattr(transport, deed)(SECRET)

    assert (impostor.logins, impostor.commands) == ([], [])


def test_the_operators_settings_lead_to_no_other_machine_and_to_no_other_user(hosts: tuple[OddHost, OddHost]) -> None:
    pinned, impostor = hosts
    elsewhere = f"Host *\n HostName localhost\n Port {impostor.port}\n User root\n"
    with OpensshTransport(pinned.entry, settings(pinned, elsewhere)) as transport:
        transport.run(Command(("anything",)))

    assert (set(pinned.logins), pinned.commands, impostor.logins) == ({"agent"}, ["anything"], [])


def test_the_operators_settings_send_nothing_along(hosts: tuple[OddHost, OddHost], tmp_path: Path) -> None:
    pinned, _ = hosts
    text = f"""
        SendEnv *
        ForwardAgent yes
        ForwardX11 yes
        RemoteCommand something-else
        PermitLocalCommand yes
        LocalCommand touch {tmp_path}/touched
        RemoteForward 7777 localhost:1
        RequestTTY force
    """
    with OpensshTransport(pinned.entry, {**settings(pinned, text), "TOKEN": "hunter2"}) as transport:
        transport.run(Command(("anything",)))

    assert pinned.commands == ["anything"]
    assert pinned.asked_for == []
    assert not (tmp_path / "touched").exists()


def test_a_jump_host_that_leads_elsewhere_leads_nowhere(hosts: tuple[OddHost, OddHost], tmp_path: Path) -> None:
    pinned, impostor = hosts
    with odd_host(tmp_path / "jump") as jump:
        jump.leads_to = impostor.port
        (pinned.folder / "known").write_text(f"jump {jump.key.export_public_key().decode()}")
        text = f"""
            Host odd
                ProxyJump jump
            Host jump
                HostName 127.0.0.1
                HostKeyAlias jump
                Port {jump.port}
                User somebody
                UserKnownHostsFile {pinned.folder}/known
                IdentityFile {pinned.folder}/key
        """
        with OpensshTransport(pinned.entry, settings(pinned, text)) as transport, pytest.raises(WrongHost) as caught:
            transport.run(SECRET)

    assert impostor.key.get_fingerprint() in caught.value.detail
    assert jump.logins
    assert (impostor.logins, impostor.commands, pinned.logins) == ([], [], [])


def test_a_control_socket_that_somebody_put_in_the_operators_place_is_not_spoken_to(
    hosts: tuple[OddHost, OddHost], tmp_path: Path
) -> None:
    pinned, _ = hosts
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(tmp_path / "planted"))
        planted.listen()
        planted.setblocking(False)
        text = f"Host *\n ControlMaster auto\n ControlPath {tmp_path}/planted\n ControlPersist yes\n"
        with OpensshTransport(pinned.entry, settings(pinned, text)) as transport:
            transport.run(Command(("anything",)))

        with pytest.raises(BlockingIOError):
            planted.accept()
    assert pinned.commands == ["anything"]


@pytest.mark.parametrize(
    "words", [b"", b"\0\0\0\x08\0\0\0\x01\0\0\0\x05", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x04garb"]
)
def test_what_speaks_as_no_master_does_is_told_nothing(tmp_path: Path, words: bytes) -> None:
    heard = []
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(tmp_path / "master"))
        planted.listen()

        def serve() -> None:
            connection, _ = planted.accept()
            with connection, suppress(OSError):
                connection.sendall(words)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(4096):
                    heard.append(chunk)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Gone):
            Session.open(tmp_path / "master", "a secret", Deadline.after(5), give_up=lambda: None)
        thread.join()
    assert b"a secret" not in b"".join(heard)


def test_nobody_is_asked_for_a_password(hosts: tuple[OddHost, OddHost], tmp_path: Path) -> None:
    """Neither on a terminal nor by a program."""
    pinned, _ = hosts
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho hunter2\n")
    ask.chmod(0o700)
    pinned.closed = True
    environment = settings(pinned, "PreferredAuthentications password,keyboard-interactive\nBatchMode no\n")
    asking = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    with OpensshTransport(pinned.entry, {**environment, **asking}) as transport, pytest.raises(Unreachable):
        transport.run(SECRET)

    assert not (tmp_path / "asked").exists()
    assert pinned.passwords == []
