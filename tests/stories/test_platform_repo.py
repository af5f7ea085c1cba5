"""The helper of whole-program tests, held by the shortest story there is."""

import os
from pathlib import Path
from threading import Thread

import pytest

from tests.lab import Host
from tests.loaded import Loaded
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


@pytest.mark.parametrize(
    "words", [("validate",), ("plan", "web", "--offline", "--json"), ("show", "gone.json"), ("nonsense",), ("--help",)]
)
def test_a_command_that_is_given_ends_as_one_that_was_started(tmp_path: Path, words: tuple[str, ...]) -> None:
    repo = PlatformRepo.create(tmp_path)
    repo.add_module("web", WEB, host="local")
    started = repo.run(*words)

    given = repo.run(*words, expect=started.code)

    assert given.stderr == started.stderr
    assert given.stdout == started.stdout or "created_at" in given.stdout


def test_a_command_that_is_given_knows_its_own_folder_and_home_alone(tmp_path: Path) -> None:
    one, two = PlatformRepo.create(tmp_path / "one"), PlatformRepo.empty(tmp_path / "two", {})
    one.add_module("web", WEB, host="local")
    one.run("plan", "web", "--offline", expect=1)

    two.run("init", expect=0)

    assert (two.root / ".platform/hosts.yaml").exists()
    assert (two.keys / "planner_ed25519").read_bytes() != (one.keys / "planner_ed25519").read_bytes()
    two.run("plan", "web", "--offline", expect=65)


def test_a_command_that_is_given_another_exit_code_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)0 was expected.*\? 2"):
        PlatformRepo.create(tmp_path).run("nonsense", expect=0)


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHONPATH", "LC_ALL", "TZ", "LD_PRELOAD"])
def test_a_command_that_heeds_its_environment_at_its_start_is_started(tmp_path: Path, name: str) -> None:
    repo = PlatformRepo.create(tmp_path)

    changed = {**repo.environment, name: "1"}
    assert Loaded(repo.environment).run(("validate",), repo.root, changed, patience=60) is None


def test_a_command_beside_another_one_is_started(tmp_path: Path) -> None:
    repo, ended = PlatformRepo.create(tmp_path), list[bool]()
    loaded = Loaded(repo.environment)
    os.mkfifo(known := repo.folder / "known")

    def one() -> None:
        ended.append(loaded.run(("redact", "--known", str(known)), repo.root, repo.environment, patience=60) is None)

    first = Thread(target=one)
    first.start()
    with known.open("w"):  # it reads, so it is under way
        one()
    first.join()

    assert ended == [True, False]


def test_a_command_that_takes_too_long_is_killed_and_the_next_one_runs(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    loaded = Loaded(repo.environment)
    with pytest.raises(TimeoutError):
        loaded.run(("validate",), repo.root, repo.environment, patience=0.001)

    ended = loaded.run(("--version",), repo.root, repo.environment, patience=60)
    assert ended
    assert ended[0] == 0
