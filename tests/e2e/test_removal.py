"""A module whose manifest is gone: planned as delete, applied where an approval allows it, data and files stay."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.refusals import refusal
from tests.e2e.witness import overheard
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

SLEEPER = "platformctl-lab/sleeper:1"
FILE = "modules/cache/compose.yaml"
SHARED = {
    "services": {
        "cache": {"image": SLEEPER, "volumes": ["data:/data"], "depends_on": ["common"]},
        "api": {"image": SLEEPER, "depends_on": ["common"]},
        "common": {"image": SLEEPER},
    },
    "volumes": {"data": {}},
}
REMOVAL_FAILS = 'case " $* " in *" rm "*) exit 1 ;; esac'
PROJECT = {"orchestrator": "docker-compose", "compose_file": FILE, "project": "shop"}


def names(host: Host) -> set[str]:
    return set(host.docker("ps", "-a", "--format", "{{.Names}}").split())


def test_a_module_without_a_manifest_is_removed_and_nothing_else_is(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("cache", SHARED, runtime={**PROJECT, "compose_service": "cache"})
    for name in ("api", "common"):
        repo.add_module(name, runtime={**PROJECT, "compose_service": name})
    for name in ("common", "cache", "api"):
        repo.deploy(name)
    deployed = repo.head

    (repo.root / "modules/cache/module.yaml").unlink()
    assert repo.run("plan", "cache", "--offline", "--json", expect=1).json["plans"][0]["plan"]["source_dirty"]
    repo.commit("the cache is not needed")
    everything = repo.run("plan", "--all", "--json", expect=1).json["plans"]
    assert {each["module"]: each["plan"]["exitCode"] for each in everything} == {"api": 0, "cache": 1, "common": 0}

    plan = repo.plan("cache", name="removal")
    told = repo.run("show", plan, "--json").json["plan"]
    assert {change["address"]: (change["action"], change["destructive"]) for change in told["changes"]} == {
        "cache.cache": ("delete", True),
        "cache.common": ("keep", False),
    }
    left = {(each["kind"], each["name"]) for each in told["untouched"]}
    assert {("volume", "shop_data"), ("file", FILE)} <= left

    repo.approve(plan, expect=6)
    repo.approve(plan, "--allow-destructive")
    applied = repo.apply(plan).json

    assert applied["status"] == "applied"
    assert names(host) == {"shop-api-1", "shop-common-1"}
    assert "shop_data" in host.docker("volume", "ls", "-q")
    assert {p["module"] for p in repo.run("plan", "--all", "--json", expect=0).json["plans"]} == {"api", "common"}
    assert "there is no such module" in repo.run("plan", "cache", "--json", expect=65).json["error"]["summary"]

    repo.git("revert", "--no-edit", "HEAD")
    repo.deploy("cache")
    assert names(host) == {"shop-api-1", "shop-common-1", "shop-cache-1"}
    assert repo.head != deployed


def test_what_can_not_be_removed_comes_back_and_another_clone_finds_the_module_on_its_host(
    tmp_path: Path, host: Host
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("cache", {"services": {"cache": {"image": SLEEPER}, "gone": {"image": SLEEPER}}})
    repo.deploy("cache")
    (repo.root / "modules/cache/module.yaml").unlink()
    (repo.root / FILE).unlink()
    repo.commit("the cache is not needed")
    host.sh(f"echo 'services: {{other: {{image: x}}}}' >{host.root}/{FILE}")

    elsewhere = PlatformRepo(tmp_path / "elsewhere", repo.environment)
    elsewhere.folder.mkdir()
    repo.git("clone", "--quiet", str(repo.root), str(elsewhere.root))
    plan = elsewhere.plan("cache")
    (step,) = elsewhere.run("show", plan, "--json").json["plan"]["steps"]
    (words,) = (each["run"]["argv"] for each in step["do"])
    assert words[words.index("rm") :] == ["rm", "-s", "-f", "--", "cache"]
    assert "/.platformctl/blobs/" in words[words.index("-f") + 1]

    elsewhere.approve(plan, "--allow-destructive")
    host.docker("update", "--restart=no", "cache-cache-1")
    elsewhere.apply(plan, "--trust-ref", "origin/main", expect=9)
    assert names(host) == set()
    assert repo.run("plan", "--all", "--json", expect=0).json["plans"] == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_quarantine_of_a_removal_is_lifted_although_no_manifest_names_the_module(
    tmp_path: Path, host: Host, elsewhere: bool
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("cache", {"services": {"cache": {"image": SLEEPER}}})
    repo.deploy("cache")
    shutil.rmtree(repo.root / "modules/cache")
    repo.commit("the cache is not needed")
    plan = repo.plan("cache")
    repo.approve(plan, "--allow-destructive")
    with overheard(host, REMOVAL_FAILS):
        repo.apply(plan, expect=11)
    refusal(repo.run("plan", "cache", "--json"), 4, "quarantined")
    refusal(repo.run("unquarantine", "other", "--reason", "it was the disk", "--json"), 65, "")
    if elsewhere:
        shutil.rmtree(repo.root / ".platform/state")

    repo.run("unquarantine", "cache", "--reason", "it was the disk", expect=0)

    plan = repo.plan("cache", name="again")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)
    assert names(host) == set()


def test_of_a_first_apply_that_failed_nothing_is_left_to_remove(tmp_path: Path, host: Host) -> None:
    """Its release is not taken for the one that was applied last, by a plan without a host or by one of all modules."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    crash = {"services": {"cache": {"image": "platformctl-lab/crash:1"}}}
    repo.add_module("cache", crash, health={"timeout": "5s", "stable_for": "1s"})
    assert repo.deploy("cache", expect=11).json["state_artifact"] is None
    (planned,) = repo.run("plan", "cache", "--offline", "--json", expect=1).json["plans"]
    assert planned["plan"]["changes"][0]["action"] == "create"

    shutil.rmtree(repo.root / "modules/cache")
    repo.commit("the cache does not work")
    assert repo.run("plan", "--all", "--json", expect=0).json["plans"] == []


def test_a_clone_without_state_plans_the_removal_that_the_host_knows_of(tmp_path: Path, host: Host) -> None:
    """As in a pipeline: state is this machine's, and never in a commit."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("cache", "web"):
        repo.add_module(name, {"services": {name: {"image": SLEEPER}}})
        repo.deploy(name)
    (repo.root / "modules/cache/module.yaml").unlink()
    repo.commit("the cache is not needed")
    shutil.rmtree(repo.root / ".platform/state")

    planned = repo.run("plan", "--all", "--json", expect=1).json["plans"]
    assert {each["module"]: each["plan"]["exitCode"] for each in planned} == {"cache": 1, "web": 0}
    plan = next(repo.root / each["path"] for each in planned if each["module"] == "cache")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)
    shutil.rmtree(repo.root / ".platform/state")

    assert names(host) == {"web-web-1"}
    assert [each["module"] for each in repo.run("plan", "--all", "--json", expect=0).json["plans"]] == ["web"]


def test_a_record_that_can_not_be_read_hides_no_other_module(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", {"services": {"web": {"image": SLEEPER}}})
    repo.deploy("web")
    host.write(".platformctl/modules/ghost.json", b"{}\n")

    told = repo.run("plan", "--all", "--json", expect=3).json
    assert [each["module"] for each in told["plans"]] == ["web"]
    assert [each["module"] for each in told["failed"]] == ["ghost"]
    shown = repo.run("status", "--json", expect=69).json
    assert [row["module"] for row in shown["modules"]] == ["web"]
    assert ["ghost" in warning for warning in shown["warnings"]] == [True]


def test_a_module_that_runs_without_a_manifest_is_shown_with_what_is_left_of_it(tmp_path: Path, host: Host) -> None:
    """By any clone, named or not; of one that was removed from its host too only who asks for it hears."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("web", "cache"):
        repo.add_module(name, {"services": {name: {"image": SLEEPER}}})
        repo.deploy(name)
    deployed = repo.head
    (repo.root / "modules/cache/module.yaml").unlink()
    repo.commit("the cache is not needed")
    shutil.rmtree(repo.root / ".platform/state")

    for words, shown in (((), ["web", "cache"]), (("cache",), ["cache"])):
        rows = repo.run("status", *words, "--json", expect=0).json["modules"]
        assert [row["module"] for row in rows] == shown
        assert (rows[-1]["source_sha"], rows[-1]["in_step"]) == (deployed, True)
        assert [container["service"] for container in rows[-1]["containers"]] == ["cache"]
        assert rows[-1]["note"] == "it has no manifest any more: platformctl plan cache"

    plan = repo.plan("cache")
    repo.approve(plan, "--allow-destructive")
    repo.apply(plan)
    assert [row["module"] for row in repo.run("status", "--json", expect=0).json["modules"]] == ["web"]
    (row,) = repo.run("status", "cache", "--json", expect=0).json["modules"]
    assert (row["source_sha"], row["containers"], row["note"]) == (repo.head, [], "it was removed")
    assert "did you mean web?" in refusal(repo.run("status", "wep", "--json"), 65)["hint"]
