"""`plan --all` of fifty services on ten hosts, nothing changed, beside what people run today for the same question.

Raw ssh: one connection to each host at the same time, with a script of five `docker compose up -d`. pyinfra and ansible
are those of `benchmarks.others`. Needs what the tests' lab needs. Logins and remote commands are counted in each host's
own sshd log.
An operand puts the hosts so many milliseconds of round trip away.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.apply import EXCHANGES, HANDSHAKES, LOG, TELL_MORE
from benchmarks.measure import machine, round_trip, row
from benchmarks.others import ANSIBLE, PYINFRA, Others, Project
from tests.lab import Host, Lab
from tests.lab.client import SSH_CONFIG
from tests.lab.delay import far_away
from tests.platform_repo import PlatformRepo

HOSTS, SERVICES, ROUNDS = 10, 5, 5
ONCE = "`ansible-playbook --check --diff`"
"""It takes about half a minute, so it is asked in the first round alone."""
IMAGE = "platformctl-lab/sleeper:1"


@dataclass(frozen=True)
class Fleet:
    """Hosts with services that were applied, and a way to ask for the same without us."""

    hosts: tuple[Host, ...]
    repo: PlatformRepo
    others: Others
    ssh_config: Path

    def plan(self) -> None:
        """Ours."""
        self.repo.run("plan", "--all", "--json", expect=0)

    def raw(self) -> None:
        """One ssh a host, all at once."""
        running = [
            subprocess.Popen(
                ("ssh", "-F", str(self.ssh_config), host.name, " && ".join(each.up for each in projects)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for host, projects in zip(self.hosts, self.others.projects, strict=True)
        ]
        assert [process.wait() for process in running] == [0] * len(running)


def module(host: int, service: int) -> str:
    """The name of one module."""
    return f"s{host}-{service}"


def _projects(root: str, host: int) -> list[Project]:
    folders = {module(host, service): f"{root}/modules/{module(host, service)}" for service in range(SERVICES)}
    return [Project(name, f"{folder}/compose.yaml", folder) for name, folder in folders.items()]


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (
        tempfile.TemporaryDirectory(prefix="platformctl-benchmark-") as name,
        Lab.up(HOSTS, Path(name)) as lab,
        far_away(lab.network, round_trip()),
    ):
        fleet = _fleet(Path(name), lab)
        ways = _ways(fleet)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        counted = _counted(fleet)
        for number in range(ROUNDS):
            for way, run in ways.items():
                if number == 0 or way != ONCE:
                    seconds[way].append(_timed(run))
        _print(seconds, counted)


def _fleet(folder: Path, lab: Lab) -> Fleet:
    """Everything deployed by us, so that the raw command finds nothing to do either."""
    names = {f"h{number}": host for number, host in enumerate(lab.hosts)}
    repo = replace(PlatformRepo.create(folder / "platform", names), starts=True)
    for number in range(HOSTS):
        for service in range(SERVICES):
            _add(repo, module(number, service), f"h{number}")
    repo.commit()
    index = repo.root / repo.run("plan", "--all", "--json", expect=1).json["index"]
    repo.approve(index)
    repo.apply(index, "--parallel", "8")
    for host in lab.hosts:
        host.sh(TELL_MORE)
    others = Others(folder, lab.hosts, [_projects(host.root, number) for number, host in enumerate(lab.hosts)])
    others.write()
    return Fleet(lab.hosts, repo, others, lab.directory / SSH_CONFIG)


def _add(repo: PlatformRepo, name: str, host: str) -> None:
    """A module, written and not committed yet: a commit each would take longer than all the rest."""
    path = f"modules/{name}/compose.yaml"
    services = {"main": {"image": IMAGE, "environment": {"NAME": name}}}
    repo.write(path, json.dumps({"services": services}))
    runtime = {"orchestrator": "docker-compose", "compose_file": path, "compose_service": "main"}
    spec = {"host": host, "runtime": runtime, "health": {"timeout": "60s", "stable_for": "0s"}}
    manifest = {"apiVersion": "platform/v1", "kind": "Module", "metadata": {"id": name}, "spec": spec}
    repo.write(f"modules/{name}/module.yaml", json.dumps(manifest))


def _ways(fleet: Fleet) -> Mapping[str, Callable[[], None]]:
    dry = {PYINFRA: ("`pyinfra --dry`", ("--dry",)), ANSIBLE: (ONCE, ("--check", "--diff"))}
    theirs = {dry[name][0]: partial(run, *dry[name][1]) for name, run in fleet.others.ways().items()}
    return {"raw ssh, five `up -d` a host": fleet.raw, "`platformctl plan --all`": fleet.plan, **theirs}


def _counted(fleet: Fleet) -> tuple[int, int]:
    """The most logins and remote commands that one host saw of one plan of ours."""
    before = [len(_log(host)) for host in fleet.hosts]
    fleet.plan()
    seen = [_log(host)[count:] for host, count in zip(fleet.hosts, before, strict=True)]
    logins = max(sum(HANDSHAKES in line for line in lines) for lines in seen)
    return logins, max(sum(EXCHANGES in line for line in lines) for lines in seen)


def _log(host: Host) -> list[str]:
    return host.sh(f"cat {LOG}").splitlines()


def _timed(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _print(seconds: Mapping[str, list[float]], counted: tuple[int, int]) -> None:
    base = next(iter(seconds.values()))
    row("command", "median", "times ssh", "fastest", "times ssh")
    row(*["---"] * 5)
    for name, runs in seconds.items():
        cells = ((f"{of(runs):.2f} s", f"{of(runs) / of(base):.2f}") for of in (median, min))
        row(name, *(cell for pair in cells for cell in pair))
    print(f"of one plan, at most on a host: {counted[0]} login, {counted[1]} exchanges")


if __name__ == "__main__":
    main()
