"""What the openssh transport promises beside the others: the operator's own ways there, and nothing left behind."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import gettempdir

import pytest

from platformctl.errors import InvalidInput, ToolError, Unreachable
from platformctl.model.command import Command
from platformctl.transports.openssh import OpensshTransport
from tests.contracts.reach import TRUE, connect
from tests.contracts.sshd import Sshd, make_key

CLIENT = """
import os, sys
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.transports.openssh import OpensshTransport
name, address, port, user, key = sys.argv[1:]
entry = HostEntry(name, "openssh", "/", address=address, port=int(port), user=user, host_key=(key,))
transport = OpensshTransport(entry, os.environ)
held = transport.hold(Command(("sh", "-c", "echo ready; cat >/dev/null")))
print(held.answer(5), transport._master._process.pid, transport._master.folder, flush=True)
sys.stdin.read()
"""


def operator(home: Path, settings: str = "", **environment: str) -> Mapping[str, str]:
    """The environment of somebody whose ~/.ssh/config says `settings`."""
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text(settings)
    return {"HOME": str(home), "PATH": os.environ["PATH"], **environment}


# --- ways there, and proofs of who we are, that the ssh transport does not have -------------------


def through(jump: Sshd, known: Path) -> str:
    """Settings of an operator who goes to the throw-away host through `jump`, whose key they know."""
    known.write_text("jump " + (jump.folder / "host_ed25519.pub").read_text())
    return f"""
        Host throw-away
            ProxyJump jump
        Host jump
            HostName 127.0.0.1
            HostKeyAlias jump
            Port {jump.entry().port}
            User {jump.user}
            IdentityFile {jump.folder}/key
            UserKnownHostsFile {known}
    """


def test_the_operators_jump_host_is_gone_through(sshd: Sshd, fresh: Sshd, tmp_path: Path) -> None:
    environment = operator(tmp_path, through(fresh, tmp_path / "known"), PLATFORMCTL_SSH_KEY=f"{sshd.folder}/key")
    with OpensshTransport(sshd.entry(), environment) as transport:
        assert transport.run(Command(("echo", "here"))).text == "here\n"

    assert "Accepted publickey" in fresh.log
    assert fresh.greeted == 1


def test_a_jump_host_that_the_operator_never_met_is_not_trusted_at_first_use(
    sshd: Sshd, fresh: Sshd, tmp_path: Path
) -> None:
    settings = through(fresh, tmp_path / "known") + "    StrictHostKeyChecking accept-new\n"
    environment = operator(tmp_path, settings, PLATFORMCTL_SSH_KEY=f"{sshd.folder}/key")
    (tmp_path / "known").unlink()
    with pytest.raises(Unreachable):
        connect(OpensshTransport, sshd.entry(), environment)

    assert "publickey" not in fresh.log
    assert not (tmp_path / "known").exists()


def test_a_certificate_logs_in_where_its_key_is_not_listed(fresh: Sshd, tmp_path: Path) -> None:
    authority, key = make_key(tmp_path / "authority"), make_key(tmp_path / "key")
    words = ("ssh-keygen", "-q", "-s", authority, "-I", "ann", "-n", fresh.user, key.with_suffix(".pub"))
    fresh.is_also_told(f"TrustedUserCAKeys {authority}.pub")
    environment = operator(tmp_path, PLATFORMCTL_SSH_KEY=str(key))
    with pytest.raises(Unreachable):
        connect(OpensshTransport, fresh.entry(), environment)
    subprocess.run(words, check=True)

    connect(OpensshTransport, fresh.entry(), environment)
    assert "ED25519-CERT" in fresh.log


def test_paths_with_blanks_are_one_word_each(sshd: Sshd, tmp_path: Path) -> None:
    home = tmp_path / "my home"
    environment = operator(
        home, f"ProxyCommand touch {tmp_path}/asked\n", PLATFORMCTL_SSH_KEY=f"{home}/my key of 100 %"
    )
    (home / "my key of 100 %").write_bytes((sshd.folder / "key").read_bytes())
    (home / "my key of 100 %").chmod(0o600)
    with pytest.raises(Unreachable):
        connect(OpensshTransport, sshd.entry(), environment, timeout=1)
    assert (tmp_path / "asked").exists()

    (home / ".ssh/config").write_text("")
    connect(OpensshTransport, sshd.entry(), environment)


# --- who can not be reached, in words --------------------------------------------------------------


def test_a_stranger_is_unreachable_and_told_that_no_key_was_accepted(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(
            OpensshTransport, sshd.entry(), operator(tmp_path, PLATFORMCTL_SSH_KEY=str(make_key(tmp_path / "stranger")))
        )
    assert "it showed the pinned key and let us in by none of ours" in caught.value.detail
    assert (caught.value.reason, caught.value.host) == ("connect", "throw-away")


def test_a_closed_port_is_unreachable_in_the_words_of_ssh(sshd: Sshd) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(OpensshTransport, replace(sshd.entry(), port=1), sshd.environment, timeout=20)
    assert "Connection refused" in caught.value.detail


def test_without_the_ssh_program_nothing_is_tried(fresh: Sshd, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        connect(OpensshTransport, fresh.entry(), {**fresh.environment, "PATH": str(tmp_path)})
    assert "ssh" in caught.value.detail
    assert fresh.greeted == 0


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        *product(("HOME", "PLATFORMCTL_SSH_KEY"), ("a*", "a$HOME", 'a"b', "a\nProxyCommand touch x")),
        ("HOME", "100 %d"),
    ],
)
def test_a_path_that_ssh_would_take_for_something_else_is_refused(fresh: Sshd, variable: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        connect(OpensshTransport, fresh.entry(), {**fresh.environment, variable: f"/nowhere/{name}"})
    assert fresh.greeted == 0


# --- what is left behind ---------------------------------------------------------------------------


def test_its_folder_is_its_own_and_gone_when_it_is_closed(sshd: Sshd) -> None:
    with OpensshTransport(sshd.entry(), sshd.environment) as transport:
        transport.run(TRUE)
        assert transport._master
        folder = transport._master.folder
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o700, os.geteuid())
    assert not folder.exists()


def test_a_connection_that_came_to_nothing_leaves_no_folder(sshd: Sshd) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable):
            connect(OpensshTransport, replace(sshd.entry(), port=port), sshd.environment, timeout=1)

    for configuration in Path(gettempdir()).glob("pctl-*/config"):
        with suppress(FileNotFoundError):  # other tests come and go
            assert f"Port {port}\n" not in configuration.read_text()


def test_of_a_client_that_was_killed_neither_ssh_nor_its_folder_is_left(sshd: Sshd) -> None:
    entry = sshd.entry()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, entry.name, "127.0.0.1", str(entry.port), sshd.user, *entry.host_key],
        env={**sshd.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout
    ready, pid, folder = client.stdout.readline().split()
    watch = os.pidfd_open(int(pid))
    client.kill()

    assert select.select([watch], [], [], 10)[0]
    os.close(watch)
    assert client.wait() == -signal.SIGKILL
    assert (ready, Path(folder).exists()) == ("ready", False)
