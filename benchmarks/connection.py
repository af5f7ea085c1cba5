"""One connection and one command on an open connection, by each transport, beside the plain library and program.

    sudo .venv/bin/python -m benchmarks.connection [ROUNDS]

A lab host on this machine over real ssh. `plain paramiko` is the library as it comes: its own order of key exchanges
and no TCP_NODELAY. Prints the table of docs/benchmarks.md.
"""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import paramiko

from benchmarks.measure import row
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.transports.table import transport_for
from tests.lab import Host, Lab

TRUE = Command(("true",))
Run = Callable[[], object]


def entry_of(host: Host) -> HostEntry:
    return HostEntry(
        HostName("lab"),
        "ssh",
        host.root,
        address=host.address,
        port=host.port,
        user=host.user,
        host_key=host.host_key_fingerprints,
    )


@contextmanager
def ours(host: Host, name: str) -> Iterator[Run]:
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "PLATFORMCTL_SSH_KEY": str(host.key_path)}
    with transport_for(replace(entry_of(host), transport=name), environment) as transport:
        transport.run(TRUE)
        yield lambda: transport.run(TRUE)


@contextmanager
def plain_paramiko(host: Host, _: str) -> Iterator[Run]:
    transport = paramiko.Transport(socket.create_connection((host.address, host.port)))
    transport.connect(username=host.user, pkey=paramiko.PKey.from_path(host.key_path))

    def run() -> None:
        channel = transport.open_session()
        channel.exec_command("true")
        channel.recv_exit_status()
        channel.close()

    run()
    yield run
    transport.close()


@contextmanager
def plain_ssh(host: Host, _: str) -> Iterator[Run]:
    with tempfile.TemporaryDirectory() as folder:
        settings = host.key_path.with_name("lab_ssh_config")
        options = ("ControlMaster=auto", f"ControlPath={folder}/m", "ControlPersist=yes")
        words = ("ssh", "-F", str(settings), *(word for each in options for word in ("-o", each)), host.name)

        def run() -> None:
            subprocess.run((*words, "true"), check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        run()
        yield run
        subprocess.run((*words, "-O", "exit"), check=False, stderr=subprocess.DEVNULL)


SUBJECTS: Mapping[str, tuple[Callable[..., object], str]] = {
    "plain paramiko": (plain_paramiko, ""),
    "`ssh`": (ours, "ssh"),
    "ssh with ControlMaster": (plain_ssh, ""),
    "`openssh`": (ours, "openssh"),
}


def cpu() -> float:
    """Seconds of processor that we and our children that ended have used."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measured(host: Host, name: str, commands: int = 20) -> tuple[float, float, float]:
    """Seconds for connection and first command, processor seconds of that, seconds for each further command."""
    maker, transport = SUBJECTS[name]
    began, used = time.perf_counter(), cpu()
    with maker(host, transport) as run:  # type: ignore[attr-defined]
        connected = time.perf_counter() - began
        took = []
        for _ in range(commands):
            before = time.perf_counter()
            run()
            took.append(time.perf_counter() - before)
    return connected, cpu() - used, median(took)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder, Lab.up(1, Path(folder)) as lab:
        host = lab.hosts[0]
        results = [{name: measured(host, name) for name in SUBJECTS} for _ in range(rounds)]
    row("way", "connect and first command", "fastest", "processor here, with 20 more", "each further one", "fastest")
    row(*["---"] * 6)
    for name in SUBJECTS:
        connects, used, commands = zip(*(result[name] for result in results), strict=True)
        cells = (median(connects), min(connects), min(used), median(commands), min(commands))
        row(name, *(f"{1000 * cell:.0f} ms" if cell > 0.02 else f"{1000 * cell:.1f} ms" for cell in cells))


if __name__ == "__main__":
    main()
