"""Names of volumes and networks, which no hash of Compose's covers: what they are changed to is what runs."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.planning.test_closure_on_engine import PLAIN, containers, pair, with_newer_compose
from tests.planning.test_unseen_by_compose import told
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

NOBODY_ANSWERS = {"attempts": 1, "timeout": "1s"}


def mounted(host: Host) -> str:
    return host.docker("inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", "main-main-1").strip()


def module(repo: PlatformRepo, *, volume: str = "one", network: str = "first", **spec: Any) -> None:
    services = pair({"volumes": ["data:/data"]})
    named = {"volumes": {"data": {"name": volume}}, "networks": {"default": {"name": network}}}
    repo.add_module("main", {"services": services, **named}, health={"timeout": "20s", "stable_for": "0s"}, **spec)


@pytest.mark.parametrize("newer", [False, True], ids=["2.26", "5"])
def test_a_volume_by_another_name_is_mounted_and_the_one_before_after_a_failure(
    newer: bool, tmp_path: Path, host: Host
) -> None:
    if newer:
        with_newer_compose(host)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    module(repo)
    repo.deploy("main")
    module(repo, volume="two", canary={"url": f"http://{host.address}:1/", **NOBODY_ANSWERS})
    plan, before = repo.plan("main", name="two"), containers(host)

    change = told(repo, plan)["main"]
    assert (change["action"], change["causes"]) == ("recreate", ["volume", "new-volume"])
    assert [change[when]["names"]["volumes"] for when in ("before", "after")] == [["one"], ["two"]]
    repo.approve(plan)
    repo.apply(plan, expect=11)
    assert {(before | containers(host))[key] for key in before.keys() ^ containers(host).keys()} == {"main"}
    assert mounted(host) == "one"

    module(repo, volume="three")
    repo.deploy("main")
    assert mounted(host) == "three"
    repo.plan("main", expect=0, name="again")


def test_networks_by_another_name_are_told_as_such_and_not_as_done_by_hand(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    module(repo)
    repo.deploy("main")
    module(repo, network="second")
    plan = repo.plan("main", name="second")

    assert {name: each["causes"] for name, each in told(repo, plan).items()} == {
        "main": ["network"],
        "needed": ["network"],
    }
    repo.approve(plan)
    repo.apply(plan)
    repo.plan("main", expect=0, name="again")
    assert PLAIN["image"] in host.docker("ps", "--filter", "network=second", "--format", "{{.Image}}")
