"""Killed, or refused by its disk, at any call that matters: what host and clone know is never less than the deed.

Some calls are tried in every run, all of them with the marker `thorough`.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from platformctl.errors import EXIT_CODES, ExitCode, Touched
from tests.e2e.witness import see
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

HERE = Path(__file__).resolve().parents[2]
STATE = ".platform/state/modules/web.status.json"
JOURNALS = "cd .platformctl/journal && find . -type f | wc -l"
KILLED = -9
WELL = (ExitCode.APPLIED, ExitCode.ROLLED_BACK)


class Dying:
    """Module web, applied, and commands on it that come to a bad end."""

    def __init__(self, repo: PlatformRepo, host: Host) -> None:
        self.repo, self.host = repo, host
        self._number = 0
        repo.add_module("web", WEB, health={"timeout": "8s", "stable_for": "0s"})
        self.release()

    def release(self) -> None:
        """The next release, applied: nothing that happened before is in its way."""
        self.repo.run(*self._planned("web"), expect=9)

    def words(self, kind: str) -> Sequence[str]:
        """A command: an apply, one whose service crashes and is undone, or a rollback."""
        return ("rollback", "web") if kind == "rollback" else self._planned("crash" if kind == "failing" else "web")

    def run(self, what: str, number: int, words: Sequence[str]) -> int:
        """The exit status of the command under its fate, negative when it was killed."""
        program = (sys.executable, "-m", "tests.e2e.dying", what, str(number), str(self.repo.folder / "count"))
        environment = {**self.repo.environment, "PYTHONPATH": str(HERE)}
        return subprocess.run(
            (*program, *words, "--json"), cwd=self.repo.root, env=environment, capture_output=True, check=False
        ).returncode

    def count(self, what: str, kind: str) -> int:
        """How many calls matter in a whole run."""
        assert self.run(what, 0, self.words(kind)) in WELL
        return int((self.repo.folder / "count").read_text())

    def journals(self) -> int:
        """How many applies the host has the intent of."""
        return int(self.host.sh(f"cd {self.host.root} && {JOURNALS}"))

    def state(self) -> object:
        """What the clone knows; raises when that can not be read."""
        return json.loads((self.repo.root / STATE).read_text())["serial"]

    def _planned(self, image: str) -> Sequence[str]:
        """Another release each time, so that none is quarantined."""
        self._number += 1
        web = {"image": f"platformctl-lab/{image}:1", "environment": {"N": self._number}}
        self.repo.write("modules/web/compose.yaml", json.dumps({"services": {"web": web}}))
        self.repo.commit()
        plan = self.repo.plan("web")
        self.repo.approve(plan)
        return ("apply", str(plan), "--approved-sha", self.repo.head)


@pytest.fixture
def dying(tmp_path: Path, host: Host) -> Dying:
    return Dying(PlatformRepo.create(tmp_path, {"rs2000": host}), host)


def killed(dying: Dying, kind: str, number: int) -> None:
    """Kill it at that call; then the host is as before or knows of the intent, and everything can be settled."""
    words = dying.words(kind)
    before, journals, serial = see(dying.host), dying.journals(), dying.state()
    where = f"{kind} killed at call {number}"
    assert dying.run("kill", number, words) in (KILLED, *WELL), where
    assert dying.state() in (serial, int(str(serial)) + 1), where

    ended = dying.repo.run("recover", "--json")

    assert ended.code in (0, 8), f"{where}\n{ended}"
    after = see(dying.host)
    assert after == before or dying.journals() > journals, where
    outcomes = [row["outcome"] for row in ended.json["settled"]]
    if kind == "apply" and "not_applied" in outcomes:
        assert after.containers == before.containers, where
    if kind == "apply" and "applied" in outcomes:
        assert after.containers != before.containers, where
    dying.release()
    dying.repo.run("audit", "verify", expect=0)


def refused(dying: Dying, error: str, number: int) -> None:
    """Have the disk refuse that call; then the exit code says what became of the host, and old state is whole."""
    words = dying.words("apply")
    before, journals, serial = see(dying.host), dying.journals(), dying.state()
    where = f"{error} at call {number}"

    code = ExitCode(dying.run(error, number, words))

    assert dying.state() in (serial, int(str(serial)) + 1), where
    untouched = EXIT_CODES[code].touched is Touched.NO
    assert not untouched or see(dying.host) == before, f"{where}: {code.name}"
    assert see(dying.host) == before or dying.journals() > journals, where
    assert dying.repo.run("recover", "--json").code in (0, 8), where
    dying.release()


def test_killed_at_some_calls(dying: Dying) -> None:
    total = dying.count("kill", "apply")
    assert total > 40
    killed(dying, "apply", total * 6 // 8)
    killed(dying, "failing", total * 7 // 8)


def test_refused_by_the_disk_at_some_calls(dying: Dying) -> None:
    total = dying.count("ENOSPC", "apply")
    for error, part in (("ENOSPC", 2), ("EIO", 6)):
        refused(dying, error, total * part // 8)


@pytest.mark.thorough
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["apply", "failing", "rollback"])
def test_killed_at_every_call(dying: Dying, kind: str) -> None:
    dying.release()
    for number in range(1, dying.count("kill", kind) + 1):
        killed(dying, kind, number)


@pytest.mark.thorough
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_refused_by_the_disk_at_every_call(dying: Dying, error: str) -> None:
    for number in range(1, dying.count("ENOSPC", "apply") + 1):
        refused(dying, error, number)
