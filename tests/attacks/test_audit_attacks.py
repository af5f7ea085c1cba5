"""Somebody with the host's user makes its record tell something else; a clone that was there is not fooled by it."""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from platformctl.model import strict_json
from platformctl.store import chain
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

AUDIT = ".platformctl/audit.jsonl"


def problems(repo: PlatformRepo, expect: int, *where: str | Path) -> list[str]:
    found: list[str] = repo.run(*where, "audit", "verify", "--json", expect=expect).json["problems"]
    return found


def cloned(repo: PlatformRepo) -> Path:
    """A clone that was never there."""
    clone = repo.folder / "clone"
    subprocess.run(("git", "clone", "--quiet", str(repo.root), str(clone)), check=True, env=repo.environment)
    return clone


def with_record(lines: bytes, **changes: object) -> bytes:
    """The same, and behind it a record like the last one but for `changes`, in its place in the chain."""
    last = chain.parse(lines.splitlines()[-1], "the host")
    return lines + chain.next_line(lines, last.at, last.event, {**last.fields, **changes}, what="the host") + b"\n"


def written_anew(lines: bytes, **changes: Callable[[str], str]) -> bytes:
    """The same records but for `changes`, each holding the digest of the one before: sound in itself."""
    made = b""
    for line in lines.splitlines():
        record = chain.parse(line, "the host")
        fields = {**record.fields, **{name: change(record.fields[name]) for name, change in changes.items()}}
        made += chain.next_line(made, record.at, record.event, fields, what="the host") + b"\n"
    return made


def rolled_back(_: str) -> str:
    return "ROLLED_BACK"


def forged(receipt: str) -> str:
    """A receipt of another outcome, as if somebody had signed that."""
    sealed = json.loads(receipt)
    payload = b64decode(sealed["payload"]).replace(b"APPLIED", b"ROLLED_BACK")
    return json.dumps({**sealed, "payload": b64encode(payload).decode()})


def events(lines: str) -> list[str]:
    return [json.loads(line)["event"] for line in lines.splitlines()]


@contextmanager
def its_chain_closed(host: Host) -> Iterator[None]:
    """The host's audit chain can not be written meanwhile."""
    host.sh(f"chmod 400 {host.root}/{AUDIT}")
    try:
        yield
    finally:
        host.sh(f"chmod 600 {host.root}/{AUDIT}")


def test_a_deed_that_only_this_clone_tells_of(tmp_path: Path, host: Host) -> None:
    """Both ends are told of everything that changes what a host remembers; what only one has was written by hand."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "8s", "stable_for": "1s"})
    repo.deploy("web")
    with its_chain_closed(host):
        repo.run("import", "web", expect=3)
    (problem,) = problems(repo, 3)
    assert "(IMPORTED)" in problem
    repo.run("import", "web", expect=0)
    repo.run("lock", "rs2000", "--reason", "moving", expect=0)
    repo.run("unlock", "rs2000", "--reason", "moved", expect=0)
    repo.run("unlock", "rs2000", expect=0)
    assert json.loads(host.sh(f"tail -n 1 {host.root}/{AUDIT}"))["reason"] == "moved"
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/crash:1"))
    repo.commit()
    repo.deploy("web", expect=11)
    repo.run("unquarantine", "web", "--reason", "mended", expect=0)

    here = repo.root / ".platform/audit/audit.jsonl"
    assert events(here.read_text()) == ["apply", "import", "lock", "unlock", "apply", "unquarantine"]
    assert events(host.sh(f"cat {host.root}/{AUDIT}")) == events(here.read_text())
    assert problems(repo, 0) == []
    assert "✓ the audit chain is whole" in repo.run("audit", "verify", expect=0).stdout
    assert "whole" not in repo.run("audit", "show", expect=0).stdout, "nobody looked at that"

    true = here.read_bytes()
    unlocked = chain.parse(true.splitlines()[3], "here")
    forged = chain.next_line(true, "2026-06-01T12:00:00Z", "unlock", unlocked.fields, what="here")
    here.write_bytes(true + forged + b"\n")
    (problem,) = problems(repo, 3)
    assert problem == "rs2000: record 7 here (unlock) is not on the host"


LIFTS: dict[str, tuple[dict[str, object], str]] = {
    "a copy": ({}, "was added: its lift is that of record"),
    "nobody's word": ({"lift": None}, "may have been added: no signed lift vouches for it"),
    "somebody else": ({"by": "ben@example.org"}, "may have been added: its lift is not believed (signer)"),
    "another reason": ({"reason": "a try"}, "was changed: reason is not what its lift says"),
    "another module": ({"module": "api"}, "was changed: module is not what its lift says"),
}


def test_who_lifted_a_quarantine_is_proven_by_their_signature(tmp_path: Path, host: Host) -> None:
    """Of what, why and when too; a record without that, or that says something else, is found out anywhere."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", {"services": {"web": {"image": "platformctl-lab/crash:1"}}}, health={"timeout": "8s"})
    repo.deploy("web", expect=11)
    (held,) = json.loads(host.sh(f"cat {host.root}/.platformctl/modules/web.json"))["quarantine"]
    repo.run("unquarantine", "web", "--reason", "mended", expect=0)

    true = host.sh(f"cat {host.root}/{AUDIT}").encode()
    record = chain.parse(true.splitlines()[-1], "the host")
    assert json.loads(b64decode(json.loads(str(record.fields["lift"]))["payload"])) == {
        "module": "web",
        "host": "rs2000",
        "reason": "mended",
        "at": record.at,
        "releases": [held],
    }
    assert problems(repo, 0) == []

    clone = cloned(repo)
    for name, (changes, words) in LIFTS.items():
        host.write(AUDIT, with_record(true, **changes))
        found = problems(repo, 3, "-C", clone)
        assert any(each.startswith("rs2000: record 3 (unquarantine of ") and words in each for each in found), (
            name,
            found,
        )


def test_a_record_that_is_taken_away_or_written_anew(tmp_path: Path, host: Host) -> None:
    """The chain of the host is sound in itself each time; that of the clone knows better, and names the record."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "0s"})
    repo.deploy("web")
    assert problems(repo, 0) == []
    true = host.sh(f"cat {host.root}/{AUDIT}").encode()

    clone = cloned(repo)
    (row,) = repo.run("-C", clone, "status", "web", "--json", expect=0).json["modules"]
    assert (row["in_step"], row["outcome"], row["source_sha"]) == (True, "APPLIED", repo.head)
    assert len(repo.run("-C", clone, "history", "web", "--json", expect=0).json["rows"]) == 1

    host.write(AUDIT, written_anew(true, outcome=rolled_back))
    told, against = problems(repo, 3)
    assert told.startswith("rs2000: record ")
    assert told.endswith("says something else on the host")
    assert against.endswith("was changed: outcome is not what its receipt says")

    host.write(AUDIT, b"")
    told, against = problems(repo, 3)
    assert told.endswith("is not on the host")
    assert "rs2000: a record was removed: that of sha256:" in against

    host.write(AUDIT, true.replace(b"APPLIED", b"APPLIER", 1) + written_anew(true, outcome=rolled_back))
    assert any("was changed" in problem or "was added" in problem for problem in problems(repo, 3))


ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a record nobody signed": (lambda true: with_record(true, receipt=""), "record 3 (apply of sha256:"),
    "a receipt told twice": (with_record, "was added: its receipt is that of record 2"),
    "a receipt nobody signed": (
        lambda true: written_anew(true, outcome=rolled_back, receipt=forged),
        "may have been added: its receipt is not believed (signature)",
    ),
    "another outcome": (
        lambda true: written_anew(true, outcome=rolled_back),
        "was changed: outcome is not what its receipt says",
    ),
    "another host": (lambda true: with_record(true, host="other"), "was added: it is of another host"),
    "without its end": (lambda true: true.splitlines(keepends=True)[0], "a record was removed: that of sha256:"),
    "nothing": (lambda true: b"", "a record was removed: that of sha256:"),
}


def test_a_chain_that_is_sound_in_itself_and_that_receipts_contradict(tmp_path: Path, host: Host) -> None:
    """As a clone sees it that was never there: nothing here knows better, but what people signed does."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "0s"})
    repo.deploy("web")
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    repo.commit()
    repo.deploy("web")
    here, clone = repo.root / ".platform/audit/audit.jsonl", cloned(repo)
    on_host, of_clone = host.sh(f"cat {host.root}/{AUDIT}").encode(), here.read_bytes()
    assert problems(repo, 0, "-C", clone) == problems(repo, 0) == []

    for name, (attack, words) in ATTACKS.items():
        host.write(AUDIT, attack(on_host))
        found = problems(repo, 3, "-C", clone)
        assert any(each.startswith("rs2000: ") and words in each for each in found), (name, found)
    host.write(AUDIT, on_host)

    records = of_clone.splitlines(keepends=True)
    for put, damage in (
        (records[1:], "line 1: record 1 was removed"),
        ([*records, records[0]], "line 3: record 1 was"),
    ):
        here.write_bytes(b"".join(put))
        assert damage in problems(repo, 3)[0]
        shown = repo.run("audit", "show", "--json", expect=3).json
        assert damage in shown["problems"][0]
        assert [each["seq"] for each in shown["records"]] == [chain.parse(line.strip(), "here").seq for line in put]
        assert "✓" not in repo.run("audit", "show", expect=3).stdout
    for taken in (1, 2):
        here.write_bytes(b"".join(of_clone.splitlines(keepends=True)[:-taken]))
        (problem,) = problems(repo, 3)
        assert problem.startswith("here: a record was removed: that of sha256:")
    here.unlink()
    assert len(problems(repo, 3)) == 1


RECORD = ".platformctl/modules/web.json"


def test_a_host_record_that_is_put_back_or_rearranged(tmp_path: Path, host: Host) -> None:
    """It is sound in itself, and every receipt in it is signed; the chain beside it has those that it lacks."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    kept: list[bytes] = []
    for image in ("web:1", "web:2"):
        compose = json.loads(json.dumps(WEB).replace("web:1", image))
        repo.add_module("web", compose, health={"timeout": "20s", "stable_for": "0s"})
        repo.deploy("web")
        kept.append(host.sh(f"cat {host.root}/{RECORD}").encode())
    clone = cloned(repo)
    record = json.loads(kept[1])
    first, second = record["receipts"]
    arranged = {"changed": [second, first], "changed again": [first, second, first]}
    removed = "the receipt of record 2 (apply of sha256:"
    attacks = {"as it was before": (kept[0], removed), "without its end": (written([first], record), removed)}
    attacks |= {name: (written(texts, record), "receipts of web were changed") for name, texts in arranged.items()}

    for name, (content, words) in attacks.items():
        host.write(RECORD, content)
        found = problems(repo, 3, "-C", clone)
        assert [words in each for each in found] == [True], (name, found)
    host.sh(f"rm {host.root}/{RECORD}")
    assert len(problems(repo, 3, "-C", clone)) == 2
    host.write(RECORD, kept[1])
    assert problems(repo, 0, "-C", clone) == []


def written(receipts: list[str], record: dict[str, object]) -> bytes:
    """The host record with these receipts, in the form that the program gives it."""
    return strict_json.dump({**record, "receipts": receipts}) + b"\n"


def test_a_write_that_was_cut_off_is_shown_and_blames_nobody(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB, health={"timeout": "20s", "stable_for": "0s"})
    repo.deploy("web")
    host.sh(f"printf '%s' '{{\"torn' >>{host.root}/{AUDIT}")
    repo.run("lock", "rs2000", "--reason", "behind a write that was cut off", expect=0)
    (torn,) = problems(repo, 0)
    assert torn == "rs2000: line 2: record of unknown number was torn"

    with (repo.root / ".platform/audit/audit.jsonl").open("ab") as log:
        log.write(b'{"torn\n')
    shown = repo.run("audit", "show", expect=0).stdout
    assert "apply of web on rs2000: APPLIED" in shown
    assert "line 3: record of unknown number was torn" in shown
    assert "whole" not in shown, "only what was compared can be called that"
