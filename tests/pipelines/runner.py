"""A runner for workflow files: every `run:` block for real, in a fresh checkout, with the documented environment.

    job = Runner(folder, origin, server=forge.url, secrets=…).run(".forgejo/workflows/plan.yml", "plan", event)
    assert job.succeeded, job
    job.outputs["plan"]["changes"], job.artifacts["plan"], job.summary

The actions of others that our files use are acted out: checkout by git, upload-artifact by a list of files. Our own
composite actions are run as they are. Nothing of the caller's environment gets in but PATH.
"""

import os
import secrets as random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.expressions import evaluate, filled

PATIENCE = 150.0
PROGRAMS = Path(os.sys.executable).parent  # type: ignore[attr-defined]


@dataclass
class Step:
    """How one step went."""

    name: str
    code: int
    text: str

    def __str__(self) -> str:
        return f"--- {self.name}: {self.code}\n{self.text}"


@dataclass(repr=False)
class Job:
    """What a job did, and what it left."""

    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    workspace: Path = Path()
    summary: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> Path:
        """The command line of the ssh-agent that the job started, as the kernel shows it while that runs."""
        return Path("/proc") / self.environment["SSH_AGENT_PID"] / "cmdline"

    @property
    def succeeded(self) -> bool:
        return all(step.code == 0 for step in self.steps)

    def __repr__(self) -> str:
        return "\n" + "\n".join(map(str, self.steps))


@dataclass
class Runner:
    """A runner that is registered at a forge for one repository, whose bare clone is `origin`."""

    folder: Path
    origin: Path
    server: str
    repository: str = "platform/infra"
    token: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, workflow: str, job: str, event_name: str, event: Mapping[str, Any], ref: str) -> Job:
        """One job to its end, of the workflow file as it is at `ref`; `event` is what the forge says happened."""
        here = self.folder / f"run-{random.token_hex(4)}"
        done = _Run(self, here, event_name, event, ref)
        text = done.git("show", f"{ref}:{workflow}", cwd=self.origin)
        definition = yaml.load(text, yaml.BaseLoader)["jobs"][job]
        assert done.holds(definition.get("if", "always()")), f"{job} is not run for {event_name}"
        for step in definition["steps"]:
            done.step(step)
        done.job.summary = done.file("summary").read_text()
        done.job.environment = done.environment
        return done.job


class _Run:
    def __init__(self, runner: Runner, here: Path, event_name: str, event: Mapping[str, Any], ref: str) -> None:
        self.runner, self.here, self.ref = runner, here, ref
        self.workspace = here / "workspace"
        for folder in ("workspace", "temp", "home", "commands"):
            (here / folder).mkdir(parents=True)
        self.job = Job(workspace=self.workspace)
        self.environment: dict[str, str] = {}
        self.inputs: Mapping[str, Any] = event.get("inputs", {})
        self.steps: dict[str, Any] = {}
        self.first = 0
        self.sha = self.git("rev-parse", ref, cwd=runner.origin).strip()
        self.github = {
            "event": event,
            "event_name": event_name,
            "repository": runner.repository,
            "sha": self.sha,
            "token": runner.token,
        }
        self.file("summary").touch()

    def file(self, name: str) -> Path:
        return self.here / "commands" / name

    def git(self, *words: str, cwd: Path | None = None) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.here / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ("git", *words), cwd=cwd or self.workspace, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout

    # --- expressions -------------------------------------------------------------------------------

    @property
    def contexts(self) -> Mapping[str, Any]:
        return {
            "github": self.github,
            "inputs": self.inputs,
            "secrets": self.runner.secrets,
            "steps": self.steps,
            "vars": self.runner.variables,
        }

    @property
    def functions(self) -> Mapping[str, Any]:
        return {
            "always": lambda: True,
            "success": lambda: all(step.code == 0 for step in self.job.steps[self.first :]),
            "format": lambda text, *values: text.format(*values),
            "hashFiles": lambda name: "0" * 64 if (self.workspace / name).is_file() else "",
        }

    def text(self, template: Any) -> str:
        return filled(str(template), self.contexts, self.functions)

    def holds(self, condition: str) -> bool:
        """Without `always()` a step is for the case that all went well; within an action, all of that action."""
        return bool(evaluate(condition, self.contexts, self.functions))

    # --- steps -------------------------------------------------------------------------------------

    def step(self, step: Mapping[str, Any], inherited: Mapping[str, str] | None = None) -> None:
        condition = step.get("if", "success()")
        if not self.holds(condition if "always()" in condition else f"success() && ({condition})"):
            return
        environment = {**(inherited or {}), **{key: self.text(value) for key, value in step.get("env", {}).items()}}
        given = {key: self.text(value) for key, value in step.get("with", {}).items()}
        uses = step.get("uses", "")
        if "run" in step:
            self._script(step, environment)
        elif uses.startswith("./"):
            self._composite(step, self.workspace / uses / "action.yml", given, environment)
        elif "/checkout@" in uses:
            self._checkout(given)
        elif "/upload-artifact@" in uses:
            found = [p for glob in given["path"].split() for p in sorted(self.workspace.glob(glob))]
            self.job.artifacts[given["name"]] = [str(path.relative_to(self.workspace)) for path in found]
        else:
            raise AssertionError(f"no such action: {uses}")

    def _composite(
        self, step: Mapping[str, Any], action: Path, given: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        definition = yaml.load(action.read_text(), yaml.BaseLoader)
        outer = self.inputs, self.steps, self.first
        self.inputs = {name: given.get(name, entry.get("default", "")) for name, entry in definition["inputs"].items()}
        assert not set(given) - set(self.inputs), f"{action} has no inputs {set(given) - set(self.inputs)}"
        self.steps, self.first = {}, len(self.job.steps)
        for inner in definition["runs"]["steps"]:
            assert inner["shell"] == "bash"
            self.step(inner, environment)
        outputs = {name: self.text(entry["value"]) for name, entry in definition.get("outputs", {}).items()}
        self.inputs, self.steps, self.first = outer
        self._keep(step, outputs)

    def _script(self, step: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        script = self.file(f"step-{random.token_hex(4)}.sh")
        output = self.file(f"output-{random.token_hex(4)}")
        script.write_text(self.text(step["run"]))
        output.touch()
        self.file("env").touch()
        done = subprocess.run(
            ("bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)),
            cwd=self.workspace,
            env={**self._documented(output), **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.job.steps.append(Step(step.get("name", ""), done.returncode, done.stdout))
        self.environment |= delimited(self.file("env").read_text())
        self._keep(step, delimited(output.read_text()))

    def _documented(self, output: Path) -> dict[str, str]:
        """What Forgejo's runner sets, as far as somebody reads it."""
        return {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(self.here / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ENV": str(self.file("env")),
            "GITHUB_OUTPUT": str(output),
            "FORGEJO_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.file("summary")),
            "GITHUB_SERVER_URL": self.runner.server,
            "GITHUB_REPOSITORY": self.runner.repository,
            "GITHUB_SHA": self.sha,
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.here / "temp"),
        }

    def _checkout(self, given: Mapping[str, str]) -> None:
        """As actions/checkout with `fetch-depth: 0`: every branch, and no `origin/HEAD`."""
        assert (given["fetch-depth"], given["persist-credentials"]) == ("0", "false")
        self.git("init", "--quiet")
        self.git("remote", "add", "origin", str(self.runner.origin))
        self.git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
        wanted = given.get("ref") or self.sha
        branch = subprocess.run(
            ("git", "rev-parse", "-q", "--verify", f"refs/remotes/origin/{wanted}"), cwd=self.workspace,
            capture_output=True, check=False,
        )  # fmt: skip
        self.git("checkout", "--quiet", *(("-B", wanted, f"origin/{wanted}") if branch.returncode == 0 else (wanted,)))

    def _keep(self, step: Mapping[str, Any], outputs: Mapping[str, str]) -> None:
        if "id" in step:
            self.steps[step["id"]] = {"outputs": dict(outputs)}
            self.job.outputs[step["id"]] = dict(outputs)


def delimited(text: str) -> dict[str, str]:
    """What a runner reads from a file of `name=value` lines and delimited blocks."""
    lines, found = iter(text.splitlines()), {}
    for line in lines:
        name, sign, rest = line.partition("<<") if "<<" in line.partition("=")[0] else line.partition("=")
        found[name] = "\n".join(iter(lambda: next(lines), rest)) if sign == "<<" else rest
    return found
