"""Bad input gets a clear error, the right code, and nothing is lost: what a person may put into files by mistake."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import CALLERS, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

MANIFEST, COMPOSE = "modules/web/module.yaml", "modules/web/compose.yaml"
GOOD = """\
apiVersion: platform/v1
kind: Module
metadata: {id: web}
spec:
  host: rs2000
  runtime: {orchestrator: docker-compose, compose_file: modules/web/compose.yaml}
"""
LAUGHS = "".join(f"x-{n}: &n{n} [{', '.join([f'*n{n - 1}'] * 9)}]\n" if n else "x-0: &n0 [ha]\n" for n in range(12))


@pytest.fixture
def repo(tmp_path: Path) -> PlatformRepo:
    """Module web for a host that is not there: whoever connects fails with 69 instead of the code that is expected."""
    repo = PlatformRepo.create(tmp_path)
    nowhere = {
        "transport": "ssh",
        "address": "127.0.0.1",
        "port": 9,
        "user": "agent",
        "root": "/opt/platform",
        "host_key": ["SHA256:" + "A" * 43],
        "machine_id": "0" * 32,
    }
    repo.hosts_file({"rs2000": nowhere})
    repo.add_module("web", WEB)
    return repo


def write(repo: PlatformRepo, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (repo.root / MANIFEST).write_bytes(data)
    repo.commit()


def findings(repo: PlatformRepo, code: int) -> list[dict[str, Any]]:
    """What `validate` finds; `plan` must refuse the same with the same code."""
    ended = repo.run("validate", "--json")
    assert ended.code == code, ended
    assert "Traceback" not in ended.stderr
    planned = repo.run("plan", "web", "--json")
    assert refusal(planned, code)["file"], planned
    found: list[dict[str, Any]] = ended.json["findings"]
    return found


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD.replace("  host: rs2000\n", "  host: rs2000\n  hots: rs2000\n"), 6),
        (GOOD.replace("  host: rs2000\n", "  host: rs2000\n  host: rs2001\n"), 6),
        (GOOD.replace("host: rs2000", "host: [rs2000]"), 5),
        (GOOD.replace("  host: rs2000", "\thost: rs2000"), 5),
        (GOOD.replace("{id: web}", "{id: !!python/object/apply:os.system [id]}"), 3),
        (GOOD.replace("{id: web}", "{id: !secret web}"), 3),
        (GOOD.replace("{id: web}", "{id: ../web}"), 3),
        (GOOD.encode().replace(b"{id: web}", b"{id: web, owner: \xff\xfe}"), 3),
        (GOOD + "---\n" + GOOD, None),
        (LAUGHS + GOOD, None),
        (GOOD + "#" * 10_000_000, None),
        ("[" * 100_000, None),
        ("", None),
    ],
    ids=[
        *("unknown-key", "duplicate-key", "wrong-type", "tab", "python-tag", "tag", "id-with-dots", "not-utf-8"),
        *("two-documents", "billion-laughs", "ten-megabytes", "deep", "empty"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_place(repo: PlatformRepo, content: str | bytes, line: int | None) -> None:
    """P27, P49."""
    write(repo, content)
    (finding, *_) = [f for f in findings(repo, 65) if f["severity"] == "error"]
    assert finding["file"] == MANIFEST
    assert line in (None, finding["line"]), finding
    assert finding["message"]


def test_every_mistake_is_told_at_once(repo: PlatformRepo) -> None:
    write(repo, GOOD.replace("kind: Module", "kind: Modul").replace("host: rs2000", "host: 7\n  hots: x"))
    assert {f["line"] for f in findings(repo, 65)} >= {2, 5, 6}


def test_a_mistake_is_told_to_people_with_file_line_and_a_way_out(repo: PlatformRepo) -> None:
    write(repo, GOOD.replace("  host: rs2000\n", "  host: rs2000\n  hots: rs2000\n"))
    told = repo.run("plan", "web", expect=65).stderr
    assert f"at: {MANIFEST}:6" in told
    assert "next: " in told
    assert "exit 65 INVALID_INPUT" in told


OUTSIDE = ["../x", "", "web\n", "../../etc/passwd", "web/../web", "/etc/passwd", ".", "wéb"]


@pytest.mark.parametrize(
    ("verb", "names"),
    [("plan", OUTSIDE), *((verb, OUTSIDE[:3]) for verb in ("status", "history", "rollback", "import"))],
)
def test_a_module_is_never_looked_for_elsewhere(repo: PlatformRepo, verb: str, names: list[str]) -> None:
    """P27: a name is a name, not a path, of one type for every verb; nothing is written for it."""
    before = sorted(path for path in repo.folder.rglob("*") if ".git" not in path.parts)
    for name in names:
        assert repo.run(verb, name, "--json").code in (2, 65), name
    assert sorted(path for path in repo.folder.rglob("*") if ".git" not in path.parts) == before


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/etc/sudoers.d/x", "relative"),
        ("~/x.yaml", "~"),
        ("../../etc/x.yaml", ".."),
        ("modules/../../x.yaml", ".."),
        ("", ""),
        (7, ""),
        (None, ""),
        ("modules/web/x\u0000.yaml", ""),
        ("modules/web/x\u202e.yaml", ""),
    ],
)
def test_a_compose_file_lies_inside_the_repository(repo: PlatformRepo, value: object, words: str) -> None:
    """P20 to P24."""
    repo.add_module("web", WEB, runtime={"orchestrator": "docker-compose", "compose_file": value})
    ended = repo.run("validate", "--json")
    assert ended.code in (4, 65), ended
    (finding, *_) = ended.json["findings"]
    assert words in finding["message"] + (finding["hint"] or "")
    refusal(repo.run("plan", "web", "--json"), ended.code)


@pytest.mark.parametrize("value", [".platform/compose.yaml", ".github/compose.yaml", ".Forgejo/compose.yaml"])
def test_a_good_compose_file_in_a_sacred_place_is_refused(repo: PlatformRepo, value: str) -> None:
    """P23: for its path, whatever stands in it."""
    repo.write(value, json.dumps(WEB))
    repo.add_module("web", WEB, runtime={"orchestrator": "docker-compose", "compose_file": value})
    assert "sacred-path" in [f["rule"] for f in findings(repo, 4) if f["severity"] == "deny"]


def test_another_orchestrator_is_refused(repo: PlatformRepo) -> None:
    """P24."""
    for orchestrator in ("kubernetes", "", 7, None):
        repo.add_module("web", WEB, runtime={"orchestrator": orchestrator, "compose_file": COMPOSE})
        assert [f["file"] for f in findings(repo, 65)][:1] == [MANIFEST]


def test_the_service_defaults_to_the_modules_id(repo: PlatformRepo) -> None:
    """P24."""
    repo.run("validate", expect=0)
    repo.add_module("other", WEB)
    assert repo.run("plan", "other").code in (4, 65)
    assert "other" in repo.run("validate").stdout


def _missing(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "keep").touch()


def _link_out(path: Path) -> None:
    outside = path.parents[3] / "outside.yaml"
    outside.write_text(path.read_text())
    path.unlink()
    path.symlink_to(outside)


def _linked_folder(path: Path) -> None:
    folder = path.parents[3] / "outside"
    path.parent.rename(folder)
    path.parent.symlink_to(folder)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("replace", "committed"),
    [(_missing, True), (_folder, True), (_link_out, True), (_missing, False), (_link_out, False), (_fifo, False)],
)
def test_a_compose_file_that_is_no_file_is_refused(
    repo: PlatformRepo, replace: Callable[[Path], None], committed: bool
) -> None:
    """P22: not followed, not waited for, whether or not it is committed."""
    replace(repo.root / COMPOSE)
    if committed:
        repo.commit()
    ended = repo.run("plan", "web", "--json")
    assert ended.code in (4, 65), ended
    assert refusal(ended, ended.code)["file"] in (MANIFEST, COMPOSE)
    assert repo.run("validate").code in (4, 65)


def test_a_module_folder_that_leads_out_is_refused(repo: PlatformRepo) -> None:
    _linked_folder(repo.root / COMPOSE)
    repo.commit()
    assert repo.run("validate").code in (4, 65)
    assert repo.run("plan", "web").code in (4, 65)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content.replace(b'"serial": 1', b'"serial": 2').replace(b'"serial":1', b'"serial":2'),
        lambda content: content.replace(b"APPLIED", b"APPLIER"),
        lambda content: b"\xff" + content,
    ],
    ids=["truncated", "empty", "another-serial", "another-word", "not-utf-8"],
)
def test_a_damaged_state_file_is_refused_and_kept(
    damaged: tuple[PlatformRepo, bytes], damage: Callable[[bytes], bytes]
) -> None:
    """Never overwritten, never taken for an empty one."""
    repo, content = damaged
    state = repo.root / ".platform/state/modules/web.status.json"
    wrong = damage(content)
    assert wrong != content
    state.write_bytes(wrong)
    error = refusal(repo.run("plan", "web", "--offline", "--json"), 3)
    assert error["file"] or "web.status.json" in error["detail"]
    assert error["hint"]
    assert state.read_bytes() == wrong


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Any:
    """A deployed module and the bytes of its state; the host is one that no test here asks for."""
    host = lab.hosts[-1]
    repo = PlatformRepo.create(tmp_path_factory.mktemp("damaged"), {"rs2000": host})
    repo.add_module("web", WEB)
    repo.deploy("web")
    yield repo, (repo.root / ".platform/state/modules/web.status.json").read_bytes()
    host.reset()


def test_a_damaged_state_file_does_not_hide_what_became_of_the_host(tmp_path: Path, host: Host) -> None:
    """The host's own record is the truth; the state is refused, and the host was changed: 9 with a warning."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    repo.deploy("web")
    state = repo.root / ".platform/state/modules/web.status.json"
    state.write_bytes(state.read_bytes()[:40])
    repo.write(COMPOSE, json.dumps(WEB).replace("web:1", "web:2"))
    repo.commit()
    report = repo.deploy("web").json
    assert any("state" in warning for warning in report["warnings"])
    assert state.read_bytes()[:40] == state.read_bytes()


NO_PLANS = ["{", "not json", "[]", "{}", '{"payload": 7}', '{"payload":"","payload":""}', "\ufeff{}", "9" * 5000]


@pytest.mark.parametrize(
    ("words", "contents"),
    [
        (("apply", "--approved-sha", "a" * 40), NO_PLANS),
        *((words, NO_PLANS[:1]) for words in (("show",), ("verify",), ("approve", "--yes"))),
    ],
)
def test_a_plan_that_is_none_is_refused_by_every_verb(
    repo: PlatformRepo, words: tuple[str, ...], contents: list[str]
) -> None:
    """By one reader: what an envelope must be is tried in tests/trust/test_envelope.py."""
    plan = repo.folder / "plan.json"
    for content in contents:
        plan.write_text(content)
        assert refusal(repo.run(*words, plan, "--json"), 65)["file"] == str(plan)


@pytest.mark.parametrize("verb", ["show", "verify", "explain"])
def test_an_index_in_the_place_of_a_plan_is_told_with_the_plans_that_it_lists(tmp_path: Path, verb: str) -> None:
    repo = PlatformRepo.create(tmp_path)
    for name in ("web", "api"):
        repo.add_module(name, {"services": {name: {"image": "x:1"}}}, host="local")
    made = repo.run("plan", "--all", "--offline", "--json", expect=1).json
    error = refusal(repo.run(verb, made["index"], "--json"), 65)

    assert "api, web" in error["detail"]
    assert error["hint"].startswith(f"platformctl {verb} {made['plans'][0]['path']}, ")


def test_a_plan_that_is_not_there_is_a_usage_error(repo: PlatformRepo) -> None:
    for words in (("show",), ("verify",), ("approve", "--yes"), ("apply", "--approved-sha", "a" * 40)):
        refusal(repo.run(*words, repo.folder / "none.json", "--json"), 2)
        refusal(repo.run(*words, repo.folder, "--json"), 2)


def test_a_repository_without_a_commit_or_without_git_says_so(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    outside = repo.run("-C", bare, "plan", "web", "--json")
    assert refusal(outside, outside.code)["hint"]
    assert outside.code in (2, 3, 65)


def test_a_host_that_refuses_bad_input_was_not_asked_anything(tmp_path: Path, host: Host) -> None:
    """The whole list above, against a live host: not one login."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)
    logins = host.sh(CALLERS)
    with untouched(host):
        for content in (GOOD.replace("host: rs2000", "hots: rs2000"), GOOD.replace("{id: web}", "{id: ../x}")):
            write(repo, content)
            repo.run("plan", "web", expect=65)
    assert host.sh(CALLERS) == logins
