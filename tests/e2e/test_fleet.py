"""`plan --all` and `apply` of its index: one approval for several plans, and a verdict for each."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

pytestmark = pytest.mark.lab


def service(image: str) -> dict[str, object]:
    """A compose file whose one service has no port, so that several can run on a host."""
    return {"services": {"main": {"image": image}}}


def add(repo: PlatformRepo, name: str, image: str, host: str = "rs2000") -> None:
    """A module whose service is called main."""
    runtime = {
        "orchestrator": "docker-compose",
        "compose_file": f"modules/{name}/compose.yaml",
        "compose_service": "main",
    }
    repo.add_module(name, service(image), host=host, runtime=runtime)


def index_of(repo: PlatformRepo) -> Path:
    """Plan everything and approve the index."""
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(index)
    return index


def test_one_approval_of_an_index_applies_all_its_plans(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "first", "platformctl-lab/web:1")
    add(repo, "second", "platformctl-lab/sleeper:1", host="rs3000")

    ended = repo.apply(index_of(repo))

    assert [(each["module"], each["status"]) for each in ended.json["results"]] == [
        ("first", "applied"),
        ("second", "applied"),
    ]
    assert repo.run("plan", "--all", "--json", expect=0).json["index"] is None


def test_the_first_failure_stops_the_train_and_ends_partial(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "a-good", "platformctl-lab/web:1")
    add(repo, "b-bad", "platformctl-lab/crash:1")
    add(repo, "c-never", "platformctl-lab/sleeper:1")

    ended = repo.apply(index_of(repo), expect=13)

    assert [each["status"] for each in ended.json["results"]] == ["applied", "rolled_back"]
    assert ended.json["skipped"] == ["c-never"]


def test_with_keep_going_the_rest_is_applied_all_the_same(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "a-bad", "platformctl-lab/crash:1")
    add(repo, "b-good", "platformctl-lab/sleeper:1")

    ended = repo.apply(index_of(repo), "--keep-going", expect=13)

    assert [each["status"] for each in ended.json["results"]] == ["rolled_back", "applied"]


def test_an_index_nobody_approved_runs_nothing(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/web:1")
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]

    ended = repo.apply(index, expect=5)

    assert ended.json["results"][0]["error"]["reason"] == "approval_missing"
    assert host.docker("ps", "-aq") == ""


def test_a_plan_swapped_beside_the_index_is_refused(tmp_path: Path, host: Host) -> None:
    """The index lists digests: another signed plan under the listed name has no approval."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    add(repo, "first", "platformctl-lab/web:1")
    index = index_of(repo)
    listed = next(path for path in (repo.root / ".platform/plans").glob("*.json") if path != index)
    add(repo, "other", WEB["services"]["web"]["image"])

    listed.write_bytes(repo.plan("other").read_bytes())

    assert repo.apply(index, expect=5).json["results"][0]["error"]["name"] == "APPROVAL_MISMATCH"
    assert host.docker("ps", "-aq") == ""
