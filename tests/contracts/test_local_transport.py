"""What the local transport promises beyond the contract, and what the table of transports answers."""

import os
import resource
import select
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.errors import OutcomeUnknown, PolicyViolation, ToolError
from platformctl.model.command import Command
from platformctl.transports.local import LocalTransport
from platformctl.transports.openssh import OpensshTransport
from platformctl.transports.pipes import PIPE
from platformctl.transports.ssh import SshTransport
from platformctl.transports.table import transport_for
from platformctl.transports.tailscale import TailscaleTransport

CLIENT = """
import os, sys
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.transports.local import LocalTransport
transport = LocalTransport(HostEntry("local", "local", "/", allow_root=True), os.environ)
held = transport.hold(Command(("sh", "-c", 'echo ready; cat >/dev/null; echo ended >"$1"', "sh", sys.argv[1])))
print(held.answer(5), flush=True)
sys.stdin.read()
"""


def nobody_writes(reader: int) -> bool:
    """Whether the other end of a pipe was open and is closed now, or within five seconds."""
    with open(reader, "rb", buffering=0) as pipe:
        return bool(select.select([pipe], [], [], 5)[0]) and pipe.read(1) == b""


def test_a_command_knows_only_path_home_and_language(local: LocalTransport) -> None:
    transport = LocalTransport(local.entry, {"PATH": os.environ["PATH"], "HOME": "/somewhere", "TOKEN": "hunter2"})
    names = {line.split("=")[0] for line in transport.run(Command(("env",))).text.splitlines()}

    assert names == {"PATH", "HOME", "LANG"}


def test_a_held_command_is_heard_where_a_thousand_files_are_open(local: LocalTransport) -> None:
    """As with many hosts at work at once."""
    most = 1024 + 32
    limit, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (limit, ceiling))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(limit, 2 * most), ceiling), ceiling))
        while stack.enter_context(Path(os.devnull).open("rb")).fileno() < most:
            pass
        held = local.hold(Command(("sh", "-c", "echo ready; cat >/dev/null")))
        stack.callback(held.release)
        assert held.answer(5) == "ready"


def test_at_the_deadline_the_whole_group_is_killed(local: LocalTransport, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "end")
    script = 'sh -c "exec 3>$1; sleep 60" & sleep 60'
    reader = os.open(tmp_path / "end", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OutcomeUnknown):
        local.run(Command(("sh", "-c", script, "sh", str(tmp_path / "end")), timeout=0.5))

    assert nobody_writes(reader)


def test_a_command_that_starts_its_own_session_does_not_outlast_the_wait(local: LocalTransport) -> None:
    with pytest.raises(OutcomeUnknown):
        local.run(Command(("setsid", "--wait", "sleep", "3"), timeout=0.2))


def test_a_held_process_ends_by_itself_when_its_client_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "end")
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, tmp_path / "end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert client.stdout
    assert client.stdout.readline() == b"ready\n"
    client.kill()

    assert (tmp_path / "end").read_text() == "ended\n"
    assert client.wait() == -signal.SIGKILL


def test_a_held_process_that_ignores_the_end_of_its_input_is_killed(local: LocalTransport, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "end")
    reader = os.open(tmp_path / "end", os.O_RDONLY | os.O_NONBLOCK)
    held = local.hold(Command(("sh", "-c", 'exec 3>"$1"; echo ready; sleep 60', "sh", str(tmp_path / "end"))))
    assert held.answer(5) == "ready"
    held.release()

    assert nobody_writes(reader)


def test_holding_a_program_that_is_not_there_is_refused(local: LocalTransport) -> None:
    with pytest.raises(ToolError):
        local.hold(Command(("no-such-program-anywhere",)))


def test_holding_with_more_input_than_a_pipe_takes_is_a_mistake(local: LocalTransport) -> None:
    with pytest.raises(ValueError):
        local.hold(Command(("cat",), b"x" * (PIPE + 1)))


TABLE = {
    "local": LocalTransport,
    "ssh": SshTransport,
    "openssh": OpensshTransport,
    "tailscale": TailscaleTransport,
}


@pytest.mark.parametrize(("name", "kind"), TABLE.items())
def test_the_table_gives_the_transport_that_the_entry_names(local: LocalTransport, name: str, kind: type) -> None:
    entry = replace(local.entry, transport=name)
    transport = transport_for(entry, {})

    assert isinstance(transport, kind)
    assert transport.entry == entry


@pytest.mark.parametrize("name", ["teleport", "", "../ssh"])
def test_a_transport_that_is_not_in_the_table_is_refused_with_those_that_are(local: LocalTransport, name: str) -> None:
    with pytest.raises(PolicyViolation) as caught:
        transport_for(replace(local.entry, transport=name), {})
    assert "local, openssh, ssh, tailscale" in caught.value.detail
