"""What the lab does to this machine below the level of hosts: programs, processes, mounts, control groups."""

import functools
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
HOME = Path("/run/platformctl-lab")
"""Everything of the labs that is not a client file: `<number>/<host>/`."""
MOUNTS = Path("/proc/self/mountinfo")
CGROUPS = Path("/sys/fs/cgroup")


class LabError(Exception):
    """The lab could not do what it was asked; the text names the program and repeats what it said."""


def run(*argv: str, stdin: bytes = b"", timeout: float = 60.0) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, env=ENVIRONMENT, timeout=timeout, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Ask every 5 ms; for what the kernel has no event to offer."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds:g} s: {what}")
        time.sleep(0.005)


def processes_in(namespaces: Collection[Path]) -> Iterator[int]:
    """Processes whose network namespace is one of these files (`/run/netns/…`)."""
    wanted = {_identity(path) for path in namespaces} - {None}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _identity(entry / "ns/net") in wanted:
            yield int(entry.name)


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def kill(pids: Collection[int], still_meant: Callable[[int], bool]) -> None:
    """SIGKILL, then wait for the end. Asked again once the process is held, so a reused pid is never hit."""
    held = []
    for pid in pids:
        with suppress(ProcessLookupError):
            held.append((pid, os.pidfd_open(pid)))
    try:
        for pid, descriptor in held:
            if still_meant(pid):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], 10)
    finally:
        for _, descriptor in held:
            os.close(descriptor)


def kill_processes_in(namespaces: Collection[Path]) -> None:
    """Everything in these network namespaces; with a host's pid 1 go all its containers."""
    while pids := set(processes_in(namespaces)):
        kill(pids, lambda pid: pid in set(processes_in(namespaces)))


def unmount_below(folder: Path) -> None:
    mounted = (line.split()[4] for line in MOUNTS.read_text().splitlines())
    for path in sorted((path for path in mounted if path.startswith(f"{folder}/")), reverse=True):
        run("umount", "--lazy", path)


def remove_cgroups(pattern: str) -> None:
    """The trees of that name in every hierarchy (version 1) or in the one (version 2), deepest folder first."""
    for tree in (*CGROUPS.glob(pattern), *CGROUPS.glob(f"*/{pattern}")):
        for folder, _, _ in os.walk(tree, topdown=False):
            wait_until(functools.partial(_removed, Path(folder)), f"control group {folder} is empty")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # EBUSY: the kernel has not yet taken the last dead process out
        return False
    return True
