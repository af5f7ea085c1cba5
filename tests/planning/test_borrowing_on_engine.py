"""Parts of containers that no module has, on a real engine: their names are in a hash as `up` puts them there."""

import json
from pathlib import Path

import pytest
import yaml

from tests.lab import Host
from tests.planning.test_closure_on_engine import SLEEPER, with_newer_compose
from tests.platform_repo import PlatformRepo

pytestmark = pytest.mark.lab

RULES = ("host-namespace", "volumes-from-container")


def waive(repo: PlatformRepo, module: str) -> None:
    """Let a module borrow from a container that is none of its own."""
    path = ".platform/policy.yaml"
    policy = yaml.safe_load((repo.root / path).read_text())
    about = {"module": module, "reason": "theirs is not ours to move", "expires": "2099-01-01"}
    repo.write(path, json.dumps({**policy, "waivers": [{**about, "rule": rule} for rule in RULES]}))
    repo.commit("waive")


@pytest.mark.parametrize("newer", [False, True], ids=["2.26", "5"])
@pytest.mark.parametrize(
    "borrowing",
    [
        {"volumes_from": ["container:theirs:ro"]},
        {"volumes_from": ["container:theirs", "needed:ro"]},
        {"network_mode": "container:theirs", "env_file": ["./a.env"]},
    ],
    ids=["volumes", "volumes of both", "network"],
)
def test_what_borrows_from_a_container_of_nobody_stays_as_it_is(
    borrowing: dict[str, object], newer: bool, tmp_path: Path, host: Host
) -> None:
    if newer:
        with_newer_compose(host)
    host.docker("run", "--detach", "--name", "theirs", "--volume", "/theirs", SLEEPER)
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    waive(repo, "main")
    repo.write("modules/main/a.env", "A=1\n")
    needed = {"image": SLEEPER, "volumes": ["/ours"]}
    repo.add_module("main", {"services": {"main": {"image": SLEEPER, **borrowing}, "needed": needed}})
    repo.deploy("main")

    repo.plan("main", expect=0, name="again")
