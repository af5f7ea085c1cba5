"""Git on a folder, as a person runs it."""

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from platformctl.gitinfo import Repository, read_inputs
from platformctl.model.names import GitSha, RepoPath

Environment = Mapping[str, str]


def git(folder: Path, environment: Environment, *words: str, stdin: bytes = b"") -> str:
    ran = subprocess.run(
        ["git", *words], cwd=folder, env=dict(environment), input=stdin, capture_output=True, check=True
    )
    return ran.stdout.decode().strip()


def commit(folder: Path, environment: Environment, message: str = "more") -> GitSha:
    git(folder, environment, "add", "-A")
    git(folder, environment, "commit", "-q", "--allow-empty", "-m", message)
    return GitSha.parse(git(folder, environment, "rev-parse", "HEAD"))


def inputs(repository: Repository, *paths: str) -> list[tuple[str, bytes, int]]:
    head = repository.head()
    found = read_inputs(repository, head, [RepoPath.parse(path) for path in paths], repository.tree(head))
    for file in found:
        assert file.digest == "sha256:" + hashlib.sha256(file.content).hexdigest()
    return [(file.path, file.content, file.mode) for file in found]
