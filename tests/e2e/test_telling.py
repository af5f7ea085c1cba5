"""What is told while an apply takes its time: at a terminal one line that is rewritten, else one for each event."""

import fcntl
import os
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from platformctl.cli.live import CLEAR
from tests.lab import Host
from tests.platform_repo import PATIENCE, PROGRAM, WEB, PlatformRepo

COLUMNS = 60


@pytest.fixture
def approved(tmp_path: Path, host: Host) -> tuple[PlatformRepo, Path]:
    """A repository and an approved plan of its module."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "2s"})
    plan = repo.plan("web")
    repo.approve(plan)
    return repo, plan


def at_terminal(repo: PlatformRepo, plan: Path, **environment: str) -> str:
    """What an apply writes to a terminal on its stderr."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    words = (str(PROGRAM), "apply", str(plan), "--approved-sha", repo.head, "--json")
    process = subprocess.Popen(
        words,
        cwd=repo.root,
        env={**repo.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:  # Linux says EIO where nobody has the other end any more
        pass
    finally:
        os.close(ours)
    assert process.wait(PATIENCE) == 9
    return text.decode()


def test_at_a_terminal_what_is_under_way_is_one_line_that_is_rewritten(approved: tuple[PlatformRepo, Path]) -> None:
    text = at_terminal(*approved, TERM="xterm")
    last_lines = [line.rpartition(CLEAR)[2] for line in text.split("\r\n")]
    rewritten = [piece for line in text.split("\r\n") for piece in line.split(CLEAR)[1:]]

    assert any(re.fullmatch(r"watching health: web running, [1-9]\d* s", each) for each in rewritten)
    assert not any("web running" in line for line in last_lines), "what is rewritten leaves no line behind"
    assert all(len(piece) < COLUMNS for piece in rewritten if not piece.startswith("20"))
    assert last_lines[-1] == ""
    assert any("settled: APPLIED" in line for line in last_lines)


@pytest.mark.parametrize("terminal", ["dumb", ""])
def test_a_terminal_that_can_not_go_back_gets_a_line_for_each_event(
    approved: tuple[PlatformRepo, Path], terminal: str
) -> None:
    repo, plan = approved
    text = at_terminal(repo, plan, **({"TERM": terminal} if terminal else {}))

    assert "\x1b" not in text
    assert text.count("watching health: web running") == 1


def test_elsewhere_each_event_is_one_line(approved: tuple[PlatformRepo, Path]) -> None:
    repo, plan = approved
    text = repo.apply(plan).stderr

    assert "\r" not in text
    assert "\x1b" not in text
    assert text.count("watching health: web running") == 1
