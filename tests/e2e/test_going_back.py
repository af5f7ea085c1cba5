"""The way back to any release that was proven, and to a module that was removed: at night, and by whom it must be."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import running, untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    return PlatformRepo.create(tmp_path, {"rs2000": host})


def released(repo: PlatformRepo, generation: str, image: str = "platformctl-lab/web:1") -> str:
    """Another release of module web, applied; its commit is returned."""
    service = {**WEB["services"]["web"], "image": image, "environment": {"GENERATION": generation}}
    repo.add_module("web", {"services": {"web": service}})
    repo.deploy("web")
    return repo.head


def removed(repo: PlatformRepo) -> None:
    shutil.rmtree(repo.root / "modules/web")
    repo.commit("remove web")
    plan = repo.plan("web")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)


def test_beyond_the_release_before_it_takes_the_approvals_of_any_plan(repo: PlatformRepo, host: Host) -> None:
    first = released(repo, "1")
    released(repo, "2", "platformctl-lab/web:2")
    released(repo, "3", "platformctl-lab/web:2")
    with untouched(host):
        missing = refusal(repo.run("rollback", "web", "--to", first, "--json"), 5, "approval_missing")
        again = refusal(repo.run("rollback", "web", "--to", first, "--json"), 5, "approval_missing")
    assert again["hint"] == missing["hint"], "the plan that waits for approvals is not made anew"
    plan = repo.root / missing["hint"].split(",")[0].removeprefix("platformctl approve ")
    repo.approve(plan)
    back = repo.run("rollback", "web", "--to", first, "--json", expect=9).json
    assert (back["source_sha"], back["plan_digest"]) == (
        first,
        repo.run("show", plan, "--json", expect=0).json["digest"],
    )
    assert running(host) == {"web": "platformctl-lab/web:1"}
    assert "GENERATION=1" in host.docker("inspect", "--format", "{{.Config.Env}}", "web-web-1")
    assert repo.run("rollback", "web", "--to", first, "--json", expect=0).json["status"] == "no_changes"


def test_approvals_of_a_way_back_do_not_count_when_the_host_is_another_by_then(repo: PlatformRepo, host: Host) -> None:
    first = released(repo, "1")
    for generation in ("2", "3"):
        released(repo, generation)
    missing = refusal(repo.run("rollback", "web", "--to", first, "--json"), 5, "approval_missing")
    repo.approve(repo.root / missing["hint"].split(",")[0].removeprefix("platformctl approve "))
    host.docker("rm", "-f", "web-web-1")
    with untouched(host):
        refusal(repo.run("rollback", "web", "--to", first, "--json"), 5, "approval_missing")


def test_to_a_release_that_was_never_proven_there_is_no_way(repo: PlatformRepo, host: Host) -> None:
    first = released(repo, "1")
    released(repo, "2")
    with untouched(host):
        refusal(repo.run("rollback", "web", "--to", "f" * 40, "--json"), 4, "no_release")
        refusal(repo.run("rollback", "web", "--to", "f" * 12, "--json"), 5, "sha")
        short = refusal(repo.run("rollback", "web", "--to", first[:12], "--json"), 5, "sha")
    assert (short["summary"], short["hint"]) == (
        "the commit to go back to is not a full commit id",
        f"platformctl rollback web --to {first}",
    )


def test_a_release_whose_commit_only_another_clone_has_is_called_that(repo: PlatformRepo, host: Host) -> None:
    """At night the way out is to fetch, not to look for what is wrong with git."""
    released(repo, "1")
    elsewhere = PlatformRepo(repo.folder / "elsewhere", repo.environment)
    shutil.copytree(repo.root, elsewhere.root)
    only_there = released(elsewhere, "2")
    released(elsewhere, "3")
    with untouched(host):
        told = refusal(repo.run("rollback", "web", "--json"), 65, "")
    assert (told["detail"], told["hint"].partition(";")[0]) == (only_there, "git fetch")
    repo.git("pull", "--quiet", "--ff-only", str(elsewhere.root), "main")
    assert repo.run("rollback", "web", "--json", expect=9).json["source_sha"] == only_there


def test_a_module_that_was_removed_comes_back_by_one_persons_word(repo: PlatformRepo, host: Host) -> None:
    good = released(repo, "1")
    removed(repo)
    assert running(host) == {}
    rows = repo.run("history", "web", "--json", expect=0).json["rows"]
    assert [row["outcome"] for row in rows] == ["APPLIED", "APPLIED"]
    assert rows[1]["source_sha"] == good

    (repo.root / ".platform/state/modules/web.status.json").unlink()
    assert repo.run("rollback", "web", "--json", expect=9).json["source_sha"] == good
    assert running(host) == {"web": "platformctl-lab/web:1"}
    with untouched(host):
        refusal(repo.run("rollback", "web", "--json"), 4, "no_release")


def test_of_a_module_that_nobody_knows_there_is_no_history(repo: PlatformRepo, host: Host) -> None:
    released(repo, "1")
    with untouched(host):
        for verb in ("history", "rollback"):
            assert "did you mean web?" in refusal(repo.run(verb, "wep", "--json"), 65, "")["hint"]
