"""The helper of whole-program tests, held by the shortest story there is."""

from pathlib import Path

import pytest

from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo


@pytest.mark.lab
def test_a_service_is_deployed_in_three_commands(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)

    applied = repo.deploy("web")

    assert applied.json["status"] == "applied"
    assert host.http(8080) == (200, "version 1\n")


@pytest.mark.lab
def test_another_exit_code_than_the_expected_fails_the_test(tmp_path: Path, host: Host) -> None:
    repo = PlatformRepo.create(tmp_path, {"rs2000": host})
    repo.add_module("web", WEB)

    with pytest.raises(AssertionError, match=r"(?s)0 was expected.*Plan: 1 to change.*\? 1"):
        repo.plan("web", expect=0)


def test_nothing_of_the_callers_home_gets_in(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)

    assert sorted(path.name for path in repo.keys.glob("*_ed25519")) == ["approver_ed25519", "planner_ed25519"]
    assert str(Path.home() / ".gitconfig") not in repo.git("config", "--list", "--show-origin")
