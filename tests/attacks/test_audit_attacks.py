"""Somebody with the host's user makes its record tell something else; a clone that was there is not fooled by it."""

import json
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


def events(lines: str) -> list[str]:
    return [json.loads(line)["event"] for line in lines.splitlines()]


def test_a_deed_that_only_this_clone_tells_of(tmp_path: Path, host: Host) -> None:
    """Both ends are told of everything that changes what a host remembers; what only one has was written by hand."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "3s", "stable_for": "0s"})
    repo.deploy("web")
    repo.run("import", "web", expect=0)
    repo.run("lock", "rs2000", "--reason", "moving", expect=0)
    repo.run("unlock", "rs2000", expect=0)
    repo.run("unlock", "rs2000", expect=0)
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/crash:1"))
    repo.commit()
    repo.deploy("web", expect=11)
    repo.run("unquarantine", "web", "--reason", "mended", expect=0)

    here = repo.root / ".platform/audit/audit.jsonl"
    assert events(here.read_text()) == ["apply", "import", "lock", "unlock", "apply", "unquarantine"]
    assert events(host.sh(f"cat {host.root}/{AUDIT}")) == events(here.read_text())
    assert problems(repo, 0) == []

    true = here.read_bytes()
    last = chain.parse(true.splitlines()[-1], "here")
    forged = chain.next_line(true, "2026-06-01T12:00:00Z", "unquarantine", last.fields, what="here")
    here.write_bytes(true + forged + b"\n")
    (problem,) = problems(repo, 3)
    assert problem == "rs2000: record 7 here (unquarantine of web) is not on the host"


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
