"""The plans of an index that are of one host: one lock and one look serve them as long as they hold."""

import json
from pathlib import Path

import pytest

from tests.e2e.fleet import add, index_of
from tests.e2e.witness import STARTS, Overheard, held_up, overheard, running
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab


TOKEN = ".platformctl/lock.token"
"""How many had the lock of a host so far."""


def test_the_plans_of_a_host_are_applied_under_one_lock_which_is_free_then(tmp_path: Path, host: Host) -> None:
    """Each with an intent and a receipt of its own all the same."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("first", "second", "third"):
        add(repo, name, "platformctl-lab/sleeper:1")

    repo.apply(index_of(repo))

    assert host.sh(f"cat {host.root}/{TOKEN}") == "1"
    assert len(host.sh(f"ls {host.root}/.platformctl/journal/settled").split()) == 3
    assert len(host.sh(f"ls {host.root}/.platformctl/modules").split()) == 3
    repo.run("audit", "verify", expect=0)
    repo.run("lock", "rs2000", "--reason", "it is free", expect=0)


def test_a_lock_that_is_lost_between_two_plans_keeps_the_second_from_being_touched(tmp_path: Path, host: Host) -> None:
    """Who goes on behind it takes the lock anew."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("a-first", "b-second", "c-third"):
        add(repo, name, "platformctl-lab/sleeper:1")
    index = index_of(repo)
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", index, "--approved-sha", repo.head, "--json", "--keep-going")
        compose.arrived()
        host.sh(f"printf 7 >{host.root}/{TOKEN}")
        compose.let_go()
        stdout, stderr = process.communicate(timeout=90)

    assert process.returncode == 13, stdout + stderr
    assert [(each["module"], each["exit_code"], each["reason"]) for each in json.loads(stdout)["outcomes"]] == [
        ("a-first", 9, ""),
        ("b-second", 75, "held"),
        ("c-third", 9, ""),
    ]
    assert sorted(host.docker("ps", "--format", "{{.Names}}").split()) == ["a-first-main-1", "c-third-main-1"]
    assert host.sh(f"cat {host.root}/{TOKEN}") == "8"
    repo.apply(index_of(repo))


def test_a_host_whose_plans_wait_for_another_hosts_is_free_meanwhile(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": hosts[0], "rs3000": hosts[1]})
    add(repo, "a-db", "platformctl-lab/sleeper:1")
    add(repo, "b-api", "platformctl-lab/sleeper:1", host="rs3000", needs=["a-db"])
    add(repo, "c-site", "platformctl-lab/sleeper:1", needs=["b-api"])
    index = index_of(repo)
    with held_up(hosts[1], STARTS) as compose:
        process = repo.start("apply", index, "--approved-sha", repo.head, "--json")
        compose.arrived()
        repo.run("lock", "rs2000", "--reason", "moving the disks", expect=0)
        compose.let_go()
        stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 13, stdout + stderr
    assert [each["exit_code"] for each in json.loads(stdout)["outcomes"]] == [9, 9, 75]


def looks(heard: Overheard) -> int:
    """How often the host's engine was asked for all: beside that it was asked who it is, and for each plan before
    and behind its one step, which held at once.
    """
    told = heard.all()
    asked = sum(each.words[:2] == ("system", "dial-stdio") for each in told)
    return asked - 1 - 2 * sum("up" in each.words for each in told)


def test_plans_of_a_host_that_share_nothing_are_compared_with_one_look(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for name in ("first", "second", "third"):
        add(repo, name, "platformctl-lab/sleeper:1", health={"timeout": "20s", "stable_for": "0s"})
    index = index_of(repo)
    with overheard(host) as heard:
        repo.apply(index)
        assert looks(heard) == 1
    assert len(host.docker("ps", "-q").split()) == 3


def test_a_plan_sees_what_the_one_before_it_did_to_their_project(tmp_path: Path, host: Host) -> None:
    """The second one's compose file, network and neighbour are of the first: it is compared with a look of its own."""
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    path = "modules/a-db/compose.yaml"
    sleeper = {"image": "platformctl-lab/sleeper:1"}
    both = {"db": sleeper, "api": {**sleeper, "depends_on": ["db"]}}
    for name, service in (("a-db", "db"), ("b-api", "api")):
        runtime = {"orchestrator": "docker-compose", "compose_file": path, "compose_service": service, "project": "one"}
        compose = {"services": both} if name == "a-db" else None
        repo.add_module(name, compose, runtime=runtime, health={"timeout": "20s", "stable_for": "0s"})
    index = index_of(repo)
    with overheard(host) as heard:
        repo.apply(index)
        assert looks(heard) == 2
    assert running(host).keys() == {"db", "api"}


def test_what_happened_to_a_later_plans_container_since_the_look_ends_it_untouched(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    for image in ("platformctl-lab/sleeper:1", "platformctl-lab/web:1"):
        for name in ("a-first", "b-second"):
            add(repo, name, image, health={"timeout": "20s", "stable_for": "0s"})
        index = index_of(repo)
        if image.endswith("sleeper:1"):
            repo.apply(index)
    with held_up(host, STARTS) as compose:
        process = repo.start("apply", index, "--approved-sha", repo.head, "--json")
        compose.arrived()
        host.docker("rm", "-f", "b-second-main-1")
        compose.let_go()
        stdout, stderr = process.communicate(timeout=90)
        assert len(compose.heard.composed()) == 1

    assert process.returncode == 13, stdout + stderr
    assert [(each["exit_code"], each["reason"]) for each in json.loads(stdout)["outcomes"]] == [(9, ""), (7, "changed")]
    assert host.docker("ps", "-a", "--format", "{{.Names}}").split() == ["a-first-main-1"]
