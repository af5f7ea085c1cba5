"""A lab comes up apart from others and is gone without a trace, however its owner ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab import Lab, LabError
from tests.lab.by_ssh import serve_web, ssh
from tests.lab.lab import down, hosts_of
from tests.lab.machine import CGROUPS, HOME, MOUNTS, wait_until
from tests.lab.network import NAMESPACES
from tests.lab.registry import number_of

pytestmark = pytest.mark.lab


def test_a_second_lab_is_apart_from_the_first_and_leaves_no_trace(lab: Lab, tmp_path: Path) -> None:
    with Lab.up(1, tmp_path) as second:
        serve_web(second.hosts[0])
        number = second.claim.number
        processes = descendants(second.hosts[0].pid)
        assert second.hosts[0].address not in {host.address for host in lab.hosts}
        assert {"namespace", "interface", "mount", "cgroup", "folder"} == set(traces(number))

    assert traces(number) == {}
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid, start in processes.items() if start and process_start(pid) == start] == []
    assert ssh(lab.hosts[0], "true").returncode == 0


def test_a_directory_has_one_lab(lab: Lab) -> None:
    with pytest.raises(LabError, match="has a lab already"):
        Lab.up(1, lab.directory)


def test_a_lab_in_use_is_not_taken_down_by_another(lab: Lab) -> None:
    with pytest.raises(LabError, match="in use by a running process"):
        down(lab.directory)


def test_a_kept_lab_is_found_by_its_directory_and_goes_once(tmp_path: Path) -> None:
    command_line("up", "1", "--dir", str(tmp_path))
    (kept,) = hosts_of(tmp_path)
    assert ssh(kept, "true").returncode == 0

    assert command_line("down", "--dir", str(tmp_path)) == ""
    assert command_line("down", "--dir", str(tmp_path)) == f"there is no lab of {tmp_path}\n"
    with pytest.raises(LabError, match="no lab"):
        hosts_of(tmp_path)


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.25, 0.35])
def test_down_removes_what_a_killed_up_left(tmp_path: Path, seconds: float) -> None:
    assert ended_by_its_alarm(tmp_path, seconds)
    number = number_of(tmp_path)

    down(tmp_path)

    assert number is None or traces(number) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_directory_keeps_the_files_that_are_not_the_labs(tmp_path: Path) -> None:
    (tmp_path / "id_ed25519").write_text("a person's")

    with Lab.up(1, tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["id_ed25519"]


def test_the_next_lab_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    assert ended_by_its_alarm(tmp_path, 0.3)

    with Lab.up(1, tmp_path / "next"):
        assert number_of(tmp_path) is None


UP_UNTIL_KILLED = """
import pathlib, signal, sys
from tests.lab import Lab
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))   # its signal kills, as nothing handles it
Lab.up(2, pathlib.Path(sys.argv[1]))
signal.pause()
"""


def ended_by_its_alarm(directory: Path, seconds: float) -> bool:
    """Whether an `up` was killed after so long. A program it had just started, as mount, ends later than it."""
    words = (sys.executable, "-c", UP_UNTIL_KILLED, str(directory), str(seconds))
    with subprocess.Popen(words, start_new_session=True) as killed:
        killed.wait()
    wait_until(lambda: not any(session == str(killed.pid) for session in sessions()), "its programs have ended")
    return killed.returncode == -signal.SIGALRM


def sessions() -> Iterator[str]:
    """The session of each process there is."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield stat.read_text().rpartition(")")[2].split()[3]


def command_line(*arguments: str) -> str:
    done = subprocess.run((sys.executable, "-m", "tests.lab", *arguments), capture_output=True, text=True, check=True)
    return done.stdout


def traces(number: int) -> dict[str, list[str]]:
    """What this machine still has of a lab, by kind."""
    name, folder = f"pctl{number}", HOME / str(number)
    found: dict[str, list[object]] = {
        "namespace": list(NAMESPACES.glob(f"{name}-*")),
        "interface": list(Path("/sys/class/net").glob(name)),
        "mount": [line for line in MOUNTS.read_text().splitlines() if f" {folder}/" in line],
        "cgroup": [*CGROUPS.glob(f"{name}-*"), *CGROUPS.glob(f"*/{name}-*")],
        "folder": [folder] if folder.exists() else [],
    }
    return {kind: [str(one) for one in those] for kind, those in found.items() if those}


def descendants(pid: int) -> dict[int, str | None]:
    """A process and all below it, containers too, each with its start time: a pid may be used again."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it ended in this moment, as the end of a session does
        return {}
    below = [descendants(int(child)) for child in children]
    return {pid: process_start(pid)} | {key: value for found in below for key, value in found.items()}


def process_start(pid: int) -> str | None:
    """None when it has ended, even if nobody has asked for its exit status yet."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else fields[18]
