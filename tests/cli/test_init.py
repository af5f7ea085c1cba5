"""`init` writes what is missing and nothing else."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.platform_repo import PlatformRepo


@pytest.fixture
def bare(tmp_path: Path, repo: PlatformRepo) -> PlatformRepo:
    """A git repository and a home in which `init` has not run."""
    fresh = PlatformRepo(tmp_path, {**repo.environment, "HOME": str(tmp_path / "home")})
    fresh.root.mkdir()
    fresh.home.mkdir()
    fresh.git("init", "--quiet", "--initial-branch=main")
    fresh.git("config", "user.email", "ann@example.org")
    return fresh


def contents(folder: Path) -> Mapping[Path, bytes]:
    return {
        path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts
    }


def test_a_second_run_changes_no_byte(bare: PlatformRepo) -> None:
    first = bare.run("init", "--json", expect=0).json
    before = contents(bare.folder)
    again = bare.run("init", "--json", expect=0).json

    assert contents(bare.folder) == before
    assert (again["created"], again["kept"]) == (
        [],
        [name for name in first["created"] if name.startswith(".platform/")],
    )


def test_what_somebody_wrote_stays(bare: PlatformRepo) -> None:
    policy = bare.write(".platform/policy.yaml", "approvals: {required: 2}\n")
    told = bare.run("init", "--json", expect=0).json

    assert policy.read_text() == "approvals: {required: 2}\n"
    assert told["kept"] == [".platform/policy.yaml"]


def test_what_init_wrote_is_valid(bare: PlatformRepo) -> None:
    bare.run("init", expect=0)

    assert bare.run("validate", expect=0).stderr == ""


def test_a_key_that_git_signs_with_becomes_the_persons_key(bare: PlatformRepo) -> None:
    key = bare.home / "mine"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", key), check=True)
    bare.git("config", "gpg.format", "ssh")
    bare.git("config", "user.signingkey", str(key))
    before = key.read_bytes()
    bare.run("init", expect=0)

    kind, blob = key.with_suffix(".pub").read_text().split()[:2]
    signers = (bare.root / ".platform/allowed_signers").read_text()
    assert [line for line in signers.splitlines() if line.startswith("ann@example.org ") and f"{kind} {blob}" in line]
    assert key.read_bytes() == before
    assert [path.name for path in bare.keys.glob("*_ed25519")] == ["planner_ed25519"]


def test_keys_are_for_their_owner_alone(bare: PlatformRepo) -> None:
    bare.run("init", expect=0)

    assert [oct(path.stat().st_mode & 0o777) for path in sorted(bare.keys.glob("*_ed25519"))] == ["0o600", "0o600"]


def test_outside_of_a_repository_there_is_nothing_to_begin(bare: PlatformRepo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    ended = bare.run("init", "-C", tmp_path / "elsewhere", expect=65)

    assert "git init" in ended.stderr
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not bare.keys.exists()
