"""Nothing in a repository runs, hides or reaches out because somebody asks git about it."""

import os
from pathlib import Path

import pytest

from platformctl.errors import ToolError
from platformctl.gitinfo import Repository
from tests.gitinfo.folders import Environment, git, inputs


def test_nothing_in_the_repository_runs(repository: Repository, folder: Path, environment: Environment) -> None:
    # given every door through which reading a repository may run a program
    trap = folder.parent / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {folder.parent}/sprung\n")
    trap.chmod(0o755)
    hooks = folder.parent / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        (hooks / name).symlink_to(trap)
    for key in ("core.fsmonitor", "core.pager", "pager.status", "core.sshCommand", "diff.external"):
        git(folder, environment, "config", key, str(trap))
    git(folder, environment, "config", "core.hooksPath", str(hooks))
    os.utime(folder / "compose/compose.yaml", (1, 1))
    # when
    repository.changed_paths()
    inputs(repository, "compose/compose.yaml")
    repository.trusted_ref(None)
    repository.is_ancestor(repository.head(), repository.head())
    # then
    assert not (folder.parent / "sprung").exists()
    git(folder, environment, "status")
    assert (folder.parent / "sprung").exists(), "the trap is one"


def test_a_replaced_object_is_not_believed(repository: Repository, folder: Path, environment: Environment) -> None:
    # given an object that git is told to replace by another
    real = git(folder, environment, "rev-parse", "HEAD:compose/compose.yaml")
    fake = git(folder, environment, "hash-object", "-w", "--stdin", stdin=b"services: {evil: {}}\n")
    git(folder, environment, "replace", real, fake)
    assert "evil" in git(folder, environment, "show", "HEAD:compose/compose.yaml")
    # then
    assert inputs(repository, "compose/compose.yaml")[0][1] == b"services: {}\n"


def test_the_environment_of_git_is_ours(folder: Path, environment: Environment, tmp_path: Path) -> None:
    # given variables that would lead git elsewhere
    other = tmp_path / "other"
    other.mkdir()
    git(other, environment, "init", "-q")
    misleading = {**environment, "GIT_DIR": str(other / ".git"), "GIT_OBJECT_DIRECTORY": "/nowhere"}
    # then
    assert Repository.discover(folder, misleading).head() == Repository.discover(folder, environment).head()


def test_a_partial_clone_is_not_completed_behind_our_back(
    folder: Path, environment: Environment, tmp_path: Path
) -> None:
    # given a clone without its files' bytes, and a remote that runs a program when asked for them
    git(folder, environment, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, environment, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{folder}", "partial")
    clone = Repository.discover(tmp_path / "partial", environment)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(clone.root, environment, "config", "remote.origin.uploadpack", str(trap))
    # then
    with pytest.raises(ToolError):
        inputs(clone, "compose/compose.yaml")
    assert not (tmp_path / "sprung").exists()
