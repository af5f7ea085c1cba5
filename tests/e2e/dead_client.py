"""An operator's machine that dies in the middle of an apply, and what `recover` makes of that."""

import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, held_up
from tests.lab import Host
from tests.platform_repo import PROGRAM, WEB, PlatformRepo

HEALTH = {"timeout": "8s", "stable_for": "1s"}
BEGUN, DONE, SETTLED = 4, 6, 9
"""Lines of the log: the step is about to begin, Compose is done, all is settled."""


def first_version(folder: Path, host: Host) -> PlatformRepo:
    """Module web in version 1, applied."""
    repo = PlatformRepo.create(folder, {"rs2000": host})
    repo.add_module("web", WEB, health=HEALTH)
    repo.deploy("web")
    return repo


def approved(repo: PlatformRepo, version: str, number: int = 0) -> Path:
    """A plan of another version, kept where plans are kept."""
    text = json.dumps(WEB).replace("lab/web:1", f"lab/web:{version}") + "\n" * number
    repo.write("modules/web/compose.yaml", text)
    repo.commit()
    (planned,) = repo.run("plan", "web", "--json", expect=1).json["plans"]
    path = repo.root / str(planned["path"])
    repo.approve(path)
    return path


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def recovered(repo: PlatformRepo) -> str:
    """What `recover` makes of the one apply that is open."""
    ended = repo.run("recover", "--json")
    (row,) = ended.json["settled"]
    outcome: str = row["outcome"]
    assert ended.code == (8 if outcome == "needs_person" else 0), ended
    return outcome


def left_open(repo: PlatformRepo, plan: Path) -> None:
    """An apply whose client was killed when Compose was done, and nobody holds the lock any more."""
    killed_after(repo, plan, DONE)
    refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")


def killed_after(repo: PlatformRepo, plan: Path, lines: int) -> list[str]:
    """Start an apply and kill it when it has written that many lines of its log.

    Each write is a packet in a pipe that holds one: the program is never further than the next line but one.
    """
    reading, writing = os.pipe2(os.O_DIRECT)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = (str(PROGRAM), "apply", str(plan), "--approved-sha", repo.head)
    with subprocess.Popen(
        command, cwd=repo.root, env=dict(repo.environment), stdout=subprocess.DEVNULL, stderr=writing
    ) as process:
        os.close(writing)
        heard = [os.read(reading, 65536).decode() for _ in range(lines)]
        process.kill()
        os.close(reading)
    return heard


def dies_at(repo: PlatformRepo, host: Host, plan: Path, number: int) -> None:
    """The client dies, and all that it began on the host, when Compose is about to bring a service up as that time."""
    nth = f"{STARTS} && echo >>/tmp/starts && [ $(wc -l </tmp/starts) = {number} ]"
    with held_up(host, nth) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        kill(process)
        host.sh(f"pkill -KILL -u {host.user} || :")
    refusal(repo.apply(plan, "--lock-wait", "20s", expect=75), 75, "unsettled")
