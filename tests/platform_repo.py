"""A platform repository to try things in: real git, real keys, lab hosts, and the program as a process of its own.

    def test_a_service_runs_after_apply(tmp_path: Path, host: Host) -> None:
        repo = PlatformRepo.create(tmp_path, {"rs2000": host})
        repo.add_module("web", WEB, health={"stable_for": "1s"})      # spec.* by keyword, committed
        repo.deploy("web")                                           # plan (1), approve (0), apply (9)
        assert repo.run("status", "web", "--json", expect=0).json["modules"][0]["in_step"]

- `create(folder, hosts)`: repository in `folder/repo`, home in `folder/home`; `init` has run, `.platform` is committed.
  It is a copy, and so is its home: the keys are the same in all of them. `empty(folder, hosts)`: one before `init`.
- `run(*words, expect=None, stdin="", **environment)` → `Ended(code, stdout, stderr)`; `.json` is stdout parsed.
  Python need not read the program anew for it (tests/loaded.py). `start(...)` gives a running process of its own
  instead, for tests that cut, kill or race it.
- `plan(module)` → path of the plan; `approve(plan)`, `apply(plan)`, `deploy(module)`: each asserts its exit code,
  `expect=` says another one, further words are passed on.
- `write(path, text)`, `commit()`, `head`, `git(...)`, `add_module(...)`, `hosts_file(entries)`, `host_entry(host)`.

Nothing of the caller's home, keys, git settings or environment gets in, but PATH.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.lab import Host
from tests.loaded import Loaded

PROGRAM = Path(sys.executable).with_name("platformctl")
WEB = {
    "services": {"web": {"image": "platformctl-lab/web:1", "ports": ["8080:8080"], "restart": "unless-stopped"}},
}
"""A compose file with one service, which answers `version 1` on port 8080; give `image` another tag for `version 2`."""
PATIENCE = 120.0
"""Seconds after which a command that is still running fails the test."""


@dataclass(frozen=True)
class Ended:
    """How one command ended, and what it wrote."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @cached_property
    def json(self) -> Any:
        """Standard output of a command that was given `--json`."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"$ {' '.join(self.words)}\n{self.stdout}{self.stderr}? {self.code}"


@dataclass(frozen=True)
class PlatformRepo:
    """One clone, one operator. With `starts` each command is started, as one who measures it wants it."""

    folder: Path
    environment: Mapping[str, str]
    starts: bool = False

    @classmethod
    def create(cls, folder: Path, hosts: Mapping[str, Host] | None = None) -> Self:
        """A repository whose allow-list has `hosts` under the names given; none: only what `init` writes."""
        repo = cls(folder, _environment(folder / "home", hosts or {}))
        shutil.copytree(_initialised().name, folder, dirs_exist_ok=True)
        if hosts:
            repo.hosts_file({name: host_entry(host) for name, host in hosts.items()})
        repo.commit("begin")
        return repo

    @classmethod
    def empty(cls, folder: Path, hosts: Mapping[str, Host]) -> Self:
        """A git repository without a commit, and a home whose owner may log in to `hosts`."""
        repo = cls(folder, _environment(folder / "home", hosts))
        repo.root.mkdir(parents=True)
        repo.home.mkdir()
        repo.git("init", "--quiet", "--initial-branch=main")
        repo.git("config", "user.name", "Ann Operator")
        repo.git("config", "user.email", "ann@example.org")
        return repo

    @property
    def root(self) -> Path:
        """The working tree."""
        return self.folder / "repo"

    @property
    def home(self) -> Path:
        """The operator's home: keys lie in `.config/platformctl`."""
        return self.folder / "home"

    @property
    def keys(self) -> Path:
        """Where `init` put `planner_ed25519` and `approver_ed25519`."""
        return self.home / ".config/platformctl"

    # --- the working tree ------------------------------------------------------------------------

    def write(self, path: str, text: str) -> Path:
        """A file of the working tree, not committed."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def hosts_file(self, entries: Mapping[str, Mapping[str, object]]) -> Path:
        """`.platform/hosts.yaml` with these hosts, not committed."""
        return self.write(".platform/hosts.yaml", json.dumps({"hosts": entries}, indent=2) + "\n")

    def add_module(self, name: str, compose: object = None, *, host: object = "rs2000", **spec: object) -> str:
        """A module with its compose file, committed; `spec` is put over the defaults. The new HEAD is returned."""
        path = f"modules/{name}/compose.yaml"
        if compose is not None:
            self.write(path, compose if isinstance(compose, str) else json.dumps(compose, indent=2) + "\n")
        runtime = {"orchestrator": "docker-compose", "compose_file": path}
        full = {"host": host, "runtime": runtime, "health": {"timeout": "20s", "stable_for": "1s"}, **spec}
        manifest = {"apiVersion": "platform/v1", "kind": "Module", "metadata": {"id": name}, "spec": full}
        self.write(f"modules/{name}/module.yaml", json.dumps(manifest, indent=2) + "\n")
        return self.commit(f"module {name}")

    def commit(self, message: str = "change") -> str:
        """Everything in the working tree; the new HEAD is returned."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.head

    @property
    def head(self) -> str:
        """The full id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str) -> str:
        """Standard output of git in the working tree."""
        done = subprocess.run(
            ("git", *words), cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout

    # --- the program -----------------------------------------------------------------------------

    def run(self, *words: str | Path, expect: int | None = None, stdin: str = "", **environment: str) -> Ended:
        """One command to its end; with `expect`, a test fails here when the exit code is another."""
        told, around = tuple(map(str, words)), {**self.environment, **environment}
        forked = None if stdin or self.starts else _loaded().run(told, self.root, around, PATIENCE)
        ended = Ended(("platformctl", *told), *(forked or self._started(told, stdin, environment)))
        assert expect in (None, ended.code), f"{expect} was expected\n{ended}"
        return ended

    def _started(self, words: tuple[str, ...], stdin: str, environment: Mapping[str, str]) -> tuple[int, str, str]:
        process = self.start(*words, **environment)
        try:
            output = process.communicate(stdin, timeout=PATIENCE)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return process.returncode, *output

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[str]:
        """The same command, running; in a process group of its own, so that a signal reaches it alone."""
        return subprocess.Popen(
            (str(PROGRAM), *map(str, words)),
            cwd=self.root,
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def plan(self, module: str, *words: str, expect: int = 1, name: str = "") -> Path:
        """The plan's file; `name` keeps it apart from another plan of the same module."""
        path = self.folder / f"{name or module}.plan.json"
        self.run("plan", module, "--out", path, *words, expect=expect)
        return path

    def approve(self, plan: Path, *words: str, expect: int = 0) -> Ended:
        """The operator's approval."""
        return self.run("approve", plan, "--yes", *words, expect=expect)

    def apply(self, plan: Path, *words: str | Path, expect: int = 9, sha: str = "") -> Ended:
        """Apply an approved plan of HEAD, or of the commit `sha`, with the report as JSON."""
        return self.run("apply", plan, "--approved-sha", sha or self.head, "--json", *words, expect=expect)

    def deploy(self, module: str, *, expect: int = 9) -> Ended:
        """Plan, approve and apply HEAD."""
        plan = self.plan(module)
        self.approve(plan)
        return self.run("apply", plan, "--approved-sha", self.head, "--json", expect=expect)


def host_entry(host: Host) -> dict[str, object]:
    """A lab host as `.platform/hosts.yaml` has it, pinned."""
    return {
        "transport": "ssh",
        "address": host.address,
        "port": host.port,
        "user": host.user,
        "root": host.root,
        "host_key": list(host.host_key_fingerprints),
        "machine_id": host.machine_id,
        "engine_id": host.engine_id,
    }


@cache
def _loaded() -> Loaded:
    """One for all repositories of this process; it ends with it."""
    return Loaded(_environment(Path("/nonexistent"), {}))


@cache
def _initialised() -> "TemporaryDirectory[str]":
    """Home and repository after `init`, to be copied; both are gone with this process. `init` knows of no host."""
    folder = TemporaryDirectory(prefix="platform-repo-")
    PlatformRepo.empty(Path(folder.name), {}).run("init", expect=0)
    return folder


def _environment(home: Path, hosts: Mapping[str, Host]) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
    one = next(iter(hosts.values()), None)  # a lab has one key for all its hosts
    key = {"PLATFORMCTL_SSH_KEY": str(one.key_path)} if one else {}
    return {**passed_on, **key, "HOME": str(home), "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
