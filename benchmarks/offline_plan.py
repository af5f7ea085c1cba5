"""`plan --offline --all` of many modules of which ten changed, beside `terraform plan` of as many resources.

The modules and their states are made by the program's own parts, so that they are what an apply would have left.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import PROGRAM, Subject, machine, row, timed_in_turn
from platformctl.gitinfo import Repository
from platformctl.model.desired import HostEntry
from platformctl.model.names import Digest, GitSha, HostName
from platformctl.model.plan import PlannedFile
from platformctl.model.state import ModuleStatus
from platformctl.releases import module_ids, read_manifest, read_release
from platformctl.releases.trees import CommitTree
from platformctl.store.states import StateStore

CHANGED = 10
OURS, THEIRS = "platformctl plan --offline --all", "terraform plan"
PROVIDER = 'provider["terraform.io/builtin/terraform"]'
STATE = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "benchmark", "outputs": {}}
HOSTS = 'hosts:\n  lab: {transport: local, root: /opt/platform, machine_id: "0123456789abcdef0123456789abcdef"}\n'
MANIFEST = """\
apiVersion: platform/v1
kind: Module
metadata: {{id: {id}, description: a module of the benchmark, owner: platform}}
spec:
  host: lab
  kind: service
  runtime: {{orchestrator: docker-compose, compose_file: modules/{id}/compose.yaml, compose_service: web}}
  env: {{set: {{MODE: "{mode}"}}}}
"""
COMPOSE = """\
services:
  web:
    image: registry.example/web:1
    environment: {MODE: "${MODE}"}
    restart: unless-stopped
    healthcheck: {test: ["CMD", "true"], interval: 10s}
    deploy: {resources: {limits: {memory: 64M}}}
"""


def main() -> None:
    """Print the table; the argument is the number of modules, 1000 without one."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(machine())
    with tempfile.TemporaryDirectory(prefix="platformctl-benchmark-") as folder:
        subjects = {OURS: _ours(Path(folder) / "platform", count)}
        if terraform := shutil.which("terraform"):
            subjects[THEIRS] = _terraform(terraform, Path(folder) / "terraform", count)
        timed = timed_in_turn(subjects, 5 if count <= 1000 else 3)
    row("command", "modules", "median", "fastest", "times terraform", "processor", "times terraform", "memory", "exit")
    row(*["---"] * 9)
    for name, each in timed.items():
        beside = timed.get(THEIRS)
        theirs = (beside.fastest, beside.processor) if beside else (None, None)
        times = _times(each.fastest, theirs[0]), _times(each.processor, theirs[1])
        walls = f"{each.seconds:.2f} s", f"{each.fastest:.2f} s", times[0]
        row(f"`{name}`", count, *walls, f"{each.processor:.2f} s", times[1], f"{each.mebibytes:.0f} MiB", each.status)


def _times(ours: float, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if theirs else "not installed"


def _ours(root: Path, count: int) -> Subject:
    root.mkdir()
    home = root.parent / "home"
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    _run(root, "git", "init", "-q", "-b", "main")
    _run(root, "git", "config", "user.email", "operator@example.org")
    _run(root, "git", "config", "user.name", "Operator")
    subprocess.run(
        [*PROGRAM, "init", "-C", str(root), "-q"], check=True, env={**environment, **_path()}, capture_output=True
    )
    (root / ".platform" / "hosts.yaml").write_text(HOSTS)
    for number in range(count):
        _write_module(root, number, "one")
    _commit(root)
    _write_states(root)
    for number in range(0, count, count // CHANGED):
        _write_module(root, number, "two")
    _commit(root)
    return Subject((*PROGRAM, "plan", "--offline", "--all", "-C", str(root)), environment=environment)


def _write_module(root: Path, number: int, mode: str) -> None:
    name = f"module-{number:05}"
    folder = root / "modules" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "module.yaml").write_text(MANIFEST.format(id=name, mode=mode))
    (folder / "compose.yaml").write_text(COMPOSE)


def _write_states(root: Path) -> None:
    repository = Repository(root, _path())
    tree = CommitTree(repository, repository.head())
    entry = HostEntry(HostName("lab"), "local", "/opt/platform", machine_id="0123456789abcdef0123456789abcdef")
    store = StateStore(root / ".platform")
    for name in module_ids(tree):
        release = read_release(tree, read_manifest(tree, name), entry, tree.commit, dirty=False)
        store.write(
            ModuleStatus(
                module=name,
                host=entry.name,
                last_apply_sha=GitSha(tree.commit),
                last_apply_pr=None,
                plan_digest=Digest.of(name.encode()),
                applied_at="2026-01-01T00:00:00Z",
                desired=release.digest,
                inputs=release.inputs,
                files=tuple(PlannedFile(file.path, file.digest, file.mode) for file in release.files),
                images=(),
                containers=(),
                previous=None,
                serial=1,
            )
        )


def _terraform(terraform: str, root: Path, count: int) -> Subject:
    """As many `terraform_data` resources with the state an apply leaves, ten of them changed.

    The state is written here: terraform takes minutes to apply thousands.
    """
    root.mkdir()
    _write_resources(root, {f"r{n}": "two" if n % (count // CHANGED) == 0 else "one" for n in range(count)})
    (root / "terraform.tfstate").write_text(json.dumps({**STATE, "resources": [_applied(n) for n in range(count)]}))
    _run(root, terraform, "init", "-input=false")
    _run(root, terraform, "plan", "-input=false", "-out=plan")
    shown = subprocess.run(
        (terraform, "show", "-no-color", "plan"), cwd=root, check=True, capture_output=True, text=True
    )
    if f"0 to add, {CHANGED} to change, 0 to destroy" not in shown.stdout:
        raise SystemExit("terraform does not take the state for that of an apply")
    return Subject((terraform, "plan", "-input=false"), root)


def _applied(number: int) -> dict[str, object]:
    value = {"value": "one", "type": "string"}
    attributes = {"id": f"{number:036}", "input": value, "output": value, "triggers_replace": None}
    instance = {"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}
    where = {"mode": "managed", "type": "terraform_data", "name": f"r{number}", "provider": PROVIDER}
    return {**where, "instances": [instance]}


def _write_resources(root: Path, values: dict[str, str]) -> None:
    resources = {name: {"input": value} for name, value in values.items()}
    (root / "main.tf.json").write_text(json.dumps({"resource": {"terraform_data": resources}}))


def _commit(root: Path) -> None:
    _run(root, "git", "add", "-A")
    _run(root, "git", "commit", "-q", "-m", "benchmark")


def _run(root: Path, *words: str) -> None:
    subprocess.run(words, cwd=root, check=True, capture_output=True)


def _path() -> dict[str, str]:

    return {"PATH": os.environ["PATH"]}


if __name__ == "__main__":
    main()
