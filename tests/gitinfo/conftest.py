"""A repository with one commit, and a person who made it."""

import os
from pathlib import Path

import pytest

from platformctl.gitinfo import Repository
from tests.gitinfo.folders import Environment, commit, git


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A person's environment with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[user]\n name = A\n email = a@example.org\n[init]\n defaultBranch = main\n[protocol "file"]\n allow = always\n'
    )
    return {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def folder(tmp_path: Path, environment: Environment) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, environment, "init", "-q")
    (folder / "compose").mkdir()
    (folder / "compose/compose.yaml").write_bytes(b"services: {}\n")
    (folder / "compose/run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "compose/run.sh").chmod(0o755)
    (folder / ".gitignore").write_bytes(b"ignored\n")
    commit(folder, environment, "first")
    return folder


@pytest.fixture
def repository(folder: Path, environment: Environment) -> Repository:
    """The repository, found from one of its folders."""
    return Repository.discover(folder / "compose", environment)
