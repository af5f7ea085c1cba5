"""A clone with one module, whose release can be read from a commit and from the working tree."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from platformctl.gitinfo import Repository
from platformctl.model.desired import HostEntry, Release
from platformctl.model.names import GitSha, HostName, ModuleId
from platformctl.releases import read_manifest, read_release
from platformctl.releases.trees import CommitTree, FolderTree, Tree

HOST = HostEntry(HostName("one"), "local", "/opt/platform")
COMPOSE = """\
services:
  web:
    image: redis:7
    env_file: [web.env]
    volumes: ["./conf:/etc/web:ro", "./run.sh:/run.sh:ro", "./data:/data"]
  stranger:
    image: redis:7
    volumes: ["./elsewhere.conf:/etc/stranger"]
"""
TAGGED = {"url": "https://app.test/", "version": {"expect": "v{tag}"}}


@dataclass
class Clone:
    """A repository with one module, `web`, whose files can be written, committed and read both ways."""

    root: Path
    environment: Mapping[str, str]
    spec: dict[str, object] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> "Clone":
        (folder / "home").mkdir()
        environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
        clone = cls(folder / "repo", environment)
        clone.root.mkdir()
        clone.git("init", "--quiet")
        clone.manifest()
        clone.write("modules/web/compose.yaml", COMPOSE)
        clone.write("modules/web/web.env", "A=1\n")
        clone.write("modules/web/conf/main.conf", "listen 80\n")
        clone.write("modules/web/conf/sites/one.conf", "site one\n")
        clone.write("modules/web/run.sh", "#!/bin/sh\n").chmod(0o755)
        clone.write("modules/web/elsewhere.conf", "of another service\n")
        return clone

    def git(self, *words: str) -> str:
        author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
        line = ("git", *author, *words)
        done = subprocess.run(line, cwd=self.root, env=dict(self.environment), capture_output=True, check=True)
        return done.stdout.decode().strip()

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.write_text(text)
        return path

    def manifest(self, description: str = "", **spec: object) -> None:
        runtime = {"orchestrator": "docker-compose", "compose_file": "modules/web/compose.yaml"}
        document = {
            "apiVersion": "platform/v1",
            "kind": "Module",
            "metadata": {"id": "web", "description": description},
            "spec": {"host": "one", "runtime": runtime, **spec},
        }
        self.write("modules/web/module.yaml", json.dumps(document, indent=1))

    def committed(self) -> CommitTree:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=more")
        head = GitSha.parse(self.git("rev-parse", "HEAD"))
        return CommitTree(Repository.discover(self.root, self.environment), head)

    def tree(self, kind: str) -> Tree:
        return self.committed() if kind == "commit" else FolderTree(self.root)

    def release(self, kind: str = "folder") -> Release:
        return release_of(self.tree(kind))


def release_of(tree: Tree) -> Release:
    module = read_manifest(tree, ModuleId("web"))
    return read_release(tree, module, HOST, GitSha("0" * 40), dirty=False)


both = pytest.mark.parametrize("kind", ["commit", "folder"])
