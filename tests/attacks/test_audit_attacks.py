"""Somebody with the host's user makes its record tell something else; a clone that was there is not fooled by it."""

import subprocess
from pathlib import Path

from platformctl.store import chain
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

AUDIT = ".platformctl/audit.jsonl"


def problems(repo: PlatformRepo, expect: int) -> list[str]:
    found: list[str] = repo.run("audit", "verify", "--json", expect=expect).json["problems"]
    return found


def written_anew(lines: bytes) -> bytes:
    """The same records with another outcome, each holding the digest of the one before: sound in itself."""
    made = b""
    for line in lines.splitlines():
        record = chain.parse(line, "the host")
        fields = {**record.fields, "outcome": "ROLLED_BACK"}
        made += chain.next_line(made, record.at, record.event, fields, what="the host") + b"\n"
    return made


def test_a_record_that_is_taken_away_or_written_anew(tmp_path: Path, host: Host) -> None:
    """The chain of the host is sound in itself each time; that of the clone knows better, and names the record."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "0s"})
    repo.deploy("web")
    assert problems(repo, 0) == []
    true = host.sh(f"cat {host.root}/{AUDIT}").encode()

    clone = tmp_path / "clone"
    subprocess.run(("git", "clone", "--quiet", str(repo.root), str(clone)), check=True, env=repo.environment)
    (row,) = repo.run("-C", clone, "status", "web", "--json", expect=0).json["modules"]
    assert (row["in_step"], row["outcome"], row["source_sha"]) == (True, "APPLIED", repo.head)
    assert len(repo.run("-C", clone, "history", "web", "--json", expect=0).json["rows"]) == 1

    host.write(AUDIT, written_anew(true))
    (problem,) = problems(repo, 3)
    assert problem.startswith("rs2000: record ")
    assert problem.endswith("says something else on the host")

    host.write(AUDIT, b"")
    (problem,) = problems(repo, 3)
    assert problem.endswith("is not on the host")

    host.write(AUDIT, true.replace(b"APPLIED", b"APPLIER", 1) + written_anew(true))
    assert any("was changed" in problem or "was added" in problem for problem in problems(repo, 3))
