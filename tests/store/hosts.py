"""A folder of this machine in the part of a host, and its shell in the part of a transport."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformctl.model.command import Command, Completed
from platformctl.store.host import Answer, HostLayout, prepare_base, read_answer
from platformctl.store.owner import Owner
from tests.store.samples import AT, HOST

OWNER = Owner("ann@laptop", AT, "apply web")


def run(command: Command, **environment: str) -> Completed:
    """Run a command as a transport would and return how it ended."""
    ended = subprocess.run(
        command.argv, input=command.stdin, capture_output=True, env={**os.environ, **environment}, check=False
    )
    return Completed(ended.returncode, ended.stdout, ended.stderr)


def ask(command: Command, **environment: str) -> Answer:
    """Run a command of the store and return its answer."""
    return read_answer(run(command, **environment), HOST)


def prepared(root: Path) -> HostLayout:
    """A host's root with the tool's own folder in it."""
    layout = HostLayout(str(root))
    assert ask(prepare_base(layout)).word == "ready"
    return layout


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def started(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own with pipes at its ends; whatever is left of it is killed afterwards."""
    with subprocess.Popen(
        command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> str:
    """The first line a process prints; "" when it ends without one."""
    assert process.stdout
    return process.stdout.readline().decode().rstrip("\n")
