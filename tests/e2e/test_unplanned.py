"""Networks and volumes too: what comes or goes in a module's project without being planned is said, with 8 (P1)."""

from pathlib import Path

import pytest

from tests.e2e.witness import REAL, STARTS, overheard, running
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

OF_PROJECT = "label=com.docker.compose.project=web"
SERVICES = {
    "web": {**WEB["services"]["web"], "volumes": ["data:/data"], "networks": ["front"]},
    "other": {"image": "platformctl-lab/sleeper:1", "volumes": ["more:/data"], "networks": ["back"]},
    "rare": {"image": "platformctl-lab/sleeper:1", "profiles": ["rare"], "volumes": ["rare:/r"], "networks": ["rare"]},
}
COMPOSE = {
    "services": SERVICES,
    "networks": {name: {} for name in ("front", "back", "rare", "unused")},
    "volumes": {name: {} for name in ("data", "more", "rare", "unused")},
}
CREATE = "{kind} create --label com.docker.compose.project=web {name}"


@pytest.fixture
def repo(tmp_path: Path, host: Host) -> PlatformRepo:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", COMPOSE)
    return repo


def meanwhile(words: str) -> str:
    """Somebody tells the engine this just before a service is brought up."""
    return f"if {STARTS}; then {REAL} {words} >/dev/null; fi"


def of_project(host: Host, kind: str) -> list[str]:
    return host.docker(kind, "ls", "--filter", OF_PROJECT, "--format", "{{.Name}}").split()


def test_what_compose_makes_with_the_file_is_no_surprise(repo: PlatformRepo, host: Host) -> None:
    """It makes what other services of the file will need, too."""
    assert repo.deploy("web").json["unplanned"] == []
    assert of_project(host, "network") == ["web_back", "web_front"]
    assert of_project(host, "volume") == ["web_data", "web_more"]


def test_the_undo_of_a_first_deploy_takes_every_network_back(repo: PlatformRepo, host: Host) -> None:
    services = {**SERVICES, "web": {**SERVICES["web"], "image": "platformctl-lab/crash:1"}}
    repo.add_module("web", {**COMPOSE, "services": services})
    repo.deploy("web", expect=11)
    assert of_project(host, "network") == []


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_what_came_unplanned_is_said_though_all_is_healthy(repo: PlatformRepo, host: Host, kind: str) -> None:
    with overheard(host, meanwhile(CREATE.format(kind=kind, name="web_other"))):
        report = repo.deploy("web", expect=8).json

    assert (report["unplanned"], report["status"]) == ([f"{kind} web_other"], "failed")
    assert report["mutated"] == "yes"
    assert set(running(host)) == {"web"}, "nothing is undone"


def test_a_network_that_was_made_anew_is_said(repo: PlatformRepo, host: Host) -> None:
    """By the same name, and another one all the same: whatever else was in it is in it no more."""
    host.docker("network", "create", "--label", "com.docker.compose.project=web", "web_apart")
    anew = f"network rm web_apart; {REAL} {CREATE.format(kind='network', name='web_apart')}"
    with overheard(host, meanwhile(anew)):
        report = repo.deploy("web", expect=8).json

    assert report["unplanned"] == ["network web_apart"]


def test_a_volume_that_went_unplanned_is_said_also_where_the_step_failed(repo: PlatformRepo, host: Host) -> None:
    host.docker("volume", "create", "--label", "com.docker.compose.project=web", "web_apart")
    with overheard(host, meanwhile("volume rm web_apart") + f"\nif {STARTS}; then exit 1; fi"):
        report = repo.deploy("web", expect=8).json

    assert report["unplanned"] == ["volume web_apart"]
