"""Same inputs, same bytes: each plan here is made and signed by a process of its own, in other circumstances.

What planning again on a real host gives is compared in every apply, whose process hashes otherwise than the one that
planned; here it is what no apply varies.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.platform_repo import PlatformRepo

PROJECT = Path(__file__).parents[2]
COMPOSE = {
    "services": {
        "web": {
            "image": "web:1",
            "depends_on": ["cache", "db", "queue"],
            "environment": {"GREETING": "${GREETING}", "ÄLTER": "1", "b": "2", "a": "1"},
            "labels": {"z": "1", "ä": "2", "I": "3", "i": "4"},
            "volumes": ["./conf:/etc/conf:ro", "data:/data"],
            "env_file": ["./web.env"],
        },
        "db": {"image": "db:1", "volumes": ["data:/data"], "networks": ["b", "a"]},
        "cache": {"image": "cache:1", "networks": ["a"]},
        "queue": {"image": "cache:1", "networks": ["b"]},
    },
    "volumes": {"data": {}},
    "networks": {"b": {}, "a": {}},
}
FILES = {"conf/a.conf": "a\n", "conf/B.conf": "b\n", "conf/ç.conf": "c\n", "conf/sub/é": "é\n", "web.env": "A=1\n"}
CIRCUMSTANCES = {
    "another hash seed": {"PYTHONHASHSEED": "1"},
    "a third hash seed": {"PYTHONHASHSEED": "4242"},
    "a random hash seed": {"PYTHONHASHSEED": "random"},
    "a day ahead": {"TZ": "Pacific/Kiritimati"},
    "half an hour off": {"TZ": "America/St_Johns"},
    "a locale without letters": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a Turkish locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "a small terminal": {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
}
USUAL = {"PYTHONHASHSEED": "0", "TZ": "UTC"}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> PlatformRepo:
    repo = PlatformRepo.create(tmp_path_factory.mktemp("same"))
    for name, text in FILES.items():
        repo.write(f"modules/web/{name}", text)
    repo.add_module("web", COMPOSE, host="local", env={"set": {"GREETING": "grüß Gott", "A": "1"}})
    return repo


@pytest.fixture(scope="module")
def usual(repo: PlatformRepo) -> bytes:
    return plan(repo, repo.root, USUAL)


def plan(repo: PlatformRepo, root: Path, circumstances: Mapping[str, str], folder: Path = PROJECT) -> bytes:
    """The bytes of a plan of `root`, made in the folder given."""
    words = (sys.executable, "-m", "tests.planning.fixed_time", root, "web", repo.keys / "planner_ed25519")
    environment = {**repo.environment, "PYTHONPATH": str(PROJECT), **circumstances}
    done = subprocess.run(tuple(map(str, words)), cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("circumstances", CIRCUMSTANCES)
def test_a_plan_has_the_same_bytes_under(circumstances: str, repo: PlatformRepo, usual: bytes) -> None:
    assert plan(repo, repo.root, CIRCUMSTANCES[circumstances]) == usual


def test_a_plan_has_the_same_bytes_in_another_clone_and_working_folder(
    repo: PlatformRepo, usual: bytes, tmp_path: Path
) -> None:
    clone = tmp_path / "somewhere" / "else"
    shutil.copytree(repo.root, clone)

    assert plan(repo, clone, USUAL, folder=tmp_path) == usual


def test_a_plan_of_another_input_has_other_bytes(repo: PlatformRepo, usual: bytes, tmp_path: Path) -> None:
    other = PlatformRepo(tmp_path, repo.environment)
    shutil.copytree(repo.root, other.root)
    other.write("modules/web/conf/sub/é", "è\n")
    other.commit()

    assert json.loads(usual)["payload"] != json.loads(plan(repo, other.root, USUAL))["payload"]
