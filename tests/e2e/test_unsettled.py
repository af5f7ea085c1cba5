"""What `recover` can not settle is said to a person, once, and hides nothing of other hosts."""

from pathlib import Path

import pytest

from tests.e2e.dead_client import DONE, HEALTH, approved, first_version, killed_after, left_open, recovered
from tests.e2e.refusals import refusal
from tests.e2e.witness import STARTS, held_up, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return first_version(tmp_path, host)


def test_a_clone_without_the_commit_of_the_plan_settles_nothing(repo: PlatformRepo, host: Host) -> None:
    """What that commit calls its containers is not known there; those of another module say nothing of it."""
    elsewhere = PlatformRepo(repo.folder / "elsewhere", repo.environment)
    elsewhere.folder.mkdir()
    repo.git("clone", "--quiet", str(repo.root), str(elsewhere.root))
    left_open(repo, approved(repo, "2"))
    with untouched(host):
        error = refusal(elsewhere.run("recover", "--json"), 75, "unsettled")
        assert f"lacks commit {repo.head}" in error["detail"]
        assert "git fetch" in error["hint"]
        elsewhere.git("fetch", "--quiet")
        assert recovered(elsewhere) == "applied"
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_an_apply_that_no_host_remembers_is_not_passed_over(repo: PlatformRepo, host: Host) -> None:
    """This clone had begun a step of it: a person is told once, as with any other that can not be told."""
    killed_after(repo, approved(repo, "2"), DONE)
    host.sh(f"rm -r {host.root}/.platformctl")
    with untouched(host):
        (row,) = repo.run("recover", "--json", expect=8).json["settled"]
        assert (row["host"], row["outcome"]) == ("", "needs_person")
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_what_is_neither_the_new_nor_the_old_needs_a_person_and_is_no_success(repo: PlatformRepo, host: Host) -> None:
    """8, as what became of the host is not known: a script that asks to recover must not go on."""
    left_open(repo, approved(repo, "2"))
    host.docker("rm", "-f", "web-web-1")
    (row,) = repo.run("recover", "--json", expect=8).json["settled"]
    assert (row["outcome"], row["why"].partition(";")[0]) == ("needs_person", "not as planned: web")
    assert repo.run("recover", "--json", expect=0).json["settled"] == []
    repo.deploy("web")


def test_where_a_person_is_needed_is_told_also_where_the_journals_end_could_not_be_written(
    repo: PlatformRepo, host: Host
) -> None:
    """The host has put it away by then, so that no other `recover` would tell."""
    left_open(repo, approved(repo, "2"))
    host.docker("rm", "-f", "web-web-1")
    (journal,) = (path for path in (repo.root / ".platform/journal").iterdir() if "settled" not in path.read_text())
    journal.unlink()
    journal.mkdir()
    ended = repo.run("recover", "--json", expect=8)
    assert [row["outcome"] for row in ended.json["settled"]] == ["needs_person"]
    assert "could not be written" in ended.json["warnings"][0]


def test_a_host_that_is_silent_hides_nothing_of_the_others(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    """Where a person is needed is said at once: what was put away is not said again."""
    one, two = hosts[:2]
    repo = PlatformRepo.create(tmp_path, {"rs1000": two, "rs2000": one})
    repo.add_module("web", WEB, health=HEALTH)
    repo.deploy("web")
    left_open(repo, approved(repo, "2"))
    one.docker("rm", "-f", "web-web-1")
    two.kill("sshd")
    ended = repo.run("recover", "--json", expect=8)
    (row,) = ended.json["settled"]
    assert (ended.json["status"], row["host"], row["outcome"]) == ("needs_person", "rs2000", "needs_person")
    (warning,) = ended.json["warnings"]
    assert warning.startswith("rs1000: ")
    assert refusal(repo.run("recover", "--json"), 69, "connect")["host"] == "rs1000"
    (aside,) = repo.run("status", "--json", expect=0).json["warnings"]
    assert aside.startswith("rs1000, which no module is on: ")
    two.start("sshd")
    assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_a_host_that_died_under_an_apply_is_not_said_to_have_lost_a_record(repo: PlatformRepo, host: Host) -> None:
    """It was never told of that apply's end; who takes another record from it is found out all the same."""
    plan = approved(repo, "2")
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", plan, "--approved-sha", repo.head)
        compose.arrived()
        host.power_off()
        try:
            _, stderr = process.communicate()
        finally:
            host.power_on()
    assert process.returncode == 8
    assert "settled" not in stderr
    recovered(repo)
    assert repo.run("audit", "show", "--json", expect=0).json["records"][1]["heard"] == "not known"
    repo.run("audit", "verify", expect=0)
    repo.deploy("web")
    repo.run("audit", "verify", expect=0)
    host.sh(f"sed -i '$d' {host.root}/.platformctl/audit.jsonl")
    repo.run("audit", "verify", expect=3)


def test_recover_with_nothing_open_changes_nothing(repo: PlatformRepo, host: Host) -> None:
    with untouched(host):
        assert repo.run("recover", "--json", expect=0).json["settled"] == []


def test_a_journal_without_a_record_is_settled_and_one_of_damaged_records_is_not(
    repo: PlatformRepo, host: Host
) -> None:
    """Where a loss of power cut off the first line no step had begun; a second line stood behind a whole one."""
    torn, damaged = ("sha256:" + digit * 64 for digit in "ab")
    host.write(f".platformctl/journal/{torn[7:]}", b'{"seq":1,"prev')
    host.write(f".platformctl/journal/{damaged[7:]}", b'{"seq":1,"prev\n{"seq":2,"prev\n')
    with untouched(host):
        ended = repo.run("recover", "--json", expect=3)
        (row,) = ended.json["settled"]
        (warning,) = ended.json["warnings"]
    assert (row["plan"], row["outcome"]) == (torn, "not_applied")
    assert damaged[7:] in host.sh(f"ls {host.root}/.platformctl/journal")
    assert "none of its lines is a record" in warning
    assert "have a person look at it" in warning
