"""What a clone guesses of a host's memory spares an exchange when it is right, and changes no plan when it is wrong."""

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from random import randbytes
from typing import Any

import pytest

from platformctl.model.names import Digest, ModuleId
from platformctl.store.states import StateStore
from tests.e2e.test_seeing import AT_ONCE, counted
from tests.lab import Host
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

WEB = ModuleId("web")
OTHER = Digest.of(b"another release")


def web(repo: PlatformRepo, mode: str) -> None:
    service = {"image": "platformctl-lab/sleeper:1", "environment": {"MODE": mode}}
    repo.add_module(WEB, {"services": {WEB: service}}, health=AT_ONCE)


def planned(repo: PlatformRepo, host: Host) -> tuple[int, Any]:
    """With how many exchanges, and what."""
    with counted(host) as seen:
        report = repo.run("plan", WEB, "--json").json
    plan = report["plans"][0]["plan"]
    times = {"created_at": "", "expires_at": "", "observed": {**plan["observed"], "at": "", "digest": ""}}
    return seen["exchanges"], {**plan, **times}


@pytest.mark.parametrize("changed", [False, True])
def test_what_is_guessed_of_a_host_spares_an_exchange_and_changes_no_plan(
    tmp_path: Path, host: Host, changed: bool
) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    web(repo, "1")
    repo.deploy(WEB)
    if changed:
        web(repo, "2")
    states = StateStore(repo.root / ".platform")
    known = states.read(WEB)
    assert known is not None

    exchanges, plan = planned(repo, host)
    assert (exchanges, bool(plan["steps"])) == (2, changed)

    # What is recorded is of another release, or, where there is a change, of the very one that is to come.
    lie = Digest.parse(plan["desired"]) if changed else OTHER
    states.write(replace(known, desired=lie, files=known.files, serial=known.serial + 1))
    assert planned(repo, host) == (4 if changed else 2, plan)

    states.path(WEB).unlink()
    assert planned(repo, host) == (4 if changed else 3, plan)

    states.path(WEB).write_text("not a state\n")
    assert planned(repo, host)[1] == plan


def with_files(repo: PlatformRepo, mode: str) -> None:
    """Three megabytes of them."""
    names = [f"conf/{number}" for number in range(10)]
    for number, name in enumerate(names):
        repo.write(f"modules/{WEB}/{name}", f"{mode}{number}" * 120_000)
    volumes = [f"./{name}:/etc/{name}:ro" for name in names]
    service = {"image": "platformctl-lab/sleeper:1", "volumes": volumes}
    repo.add_module(WEB, {"services": {WEB: service}}, health=AT_ONCE)


def test_more_than_fits_into_one_answer_is_asked_for_again(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    with_files(repo, "1")
    repo.deploy(WEB)
    grow_record(host)
    assert planned(repo, host)[0] == 2

    with_files(repo, "2")
    assert planned(repo, host)[0] == 5
    plan = repo.plan(WEB)
    repo.approve(plan)
    repo.apply(plan)


def grow_record(host: Host) -> None:
    """Receipts that nobody signed, and that can not be packed, before the good one: seven megabytes on their way."""
    path = f"{host.root}/.platformctl/modules/{WEB}.json"
    record = json.loads(host.sh(f"cat {path}"))
    record["receipts"] = [*(b64encode(randbytes(75_000)).decode() for _ in range(70)), *record["receipts"]]
    host.write(path, json.dumps(record, separators=(",", ":"), sort_keys=False).encode() + b"\n")


def with_an_approved_change(folder: Path, host: Host) -> tuple[PlatformRepo, Path]:
    """A module that runs, and an approved plan for another release of it."""
    repo = PlatformRepo.create(folder, {"rs2000": host})
    web(repo, "1")
    repo.deploy(WEB)
    web(repo, "2")
    plan = repo.plan(WEB)
    repo.approve(plan)
    return repo, plan


def test_a_compose_that_was_replaced_since_the_plan_is_asked(tmp_path: Path, host: Host) -> None:
    """By a program of the same version: it has to say so itself, as no receipt is of it."""
    repo, plan = with_an_approved_change(tmp_path, host)
    program = "/usr/libexec/docker/cli-plugins/docker-compose"
    host.sh(f"cp {program} /run/other && mount --bind /run/other {program}")
    try:
        repo.apply(plan)
    finally:
        host.sh(f"umount -l {program}; rm /run/other")


def test_an_apply_asks_with_what_its_plan_knows(tmp_path: Path, host: Host) -> None:
    repo, changed = with_an_approved_change(tmp_path, host)
    with counted(host) as seen:
        repo.apply(changed)
    assert seen["exchanges"] in {6, 7}, "at the end a session may listen that nobody needs"
    same = repo.plan(WEB, expect=0)
    repo.approve(same)
    with counted(host) as seen:
        repo.apply(same, expect=0)
    assert seen["exchanges"] == 2

    host.docker("update", "--restart=always", "web-web-1")
    drifted = repo.plan(WEB)
    repo.approve(drifted)
    host.docker("rm", "-f", "web-web-1")
    assert repo.apply(drifted, expect=7).json["error"]["reason"] == "changed"
