"""`apply INDEX` of ten hosts with five changed services each, beside raw ssh with one connection a host, in turn.

The hosts share this machine, so that their own work is the limit for all. pyinfra and ansible are those of
`benchmarks.others`. Needs what the tests' lab needs.
An operand puts the hosts so many milliseconds of round trip away.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.measure import machine, processor, round_trip, row
from benchmarks.others import Others, Project
from tests.lab import Host, Lab
from tests.lab.client import SSH_CONFIG
from tests.lab.delay import far_away
from tests.platform_repo import PlatformRepo

HOSTS, SERVICES, ROUNDS = 10, 5, 3
NAMES = tuple(f"s{number}" for number in range(SERVICES))


@dataclass(frozen=True)
class Run:
    """Wall time in seconds, and the processor time of all that ran on this side."""

    wall: float
    own: float


@dataclass(frozen=True)
class Bench:
    """Ten hosts, a module for each service on each of them, and the same services to bring up by hand."""

    hosts: Sequence[Host]
    repo: PlatformRepo
    config: Path
    others: Others

    def raw(self, mode: str) -> Run:
        """One connection for each host, all at once, and five `up` one after the other over it."""
        ups = "; ".join(f"MODE={mode} {each.up}" for each in self.others.projects[0])

        def all_hosts() -> None:
            words = (("ssh", "-F", str(self.config), host.name, ups) for host in self.hosts)
            started = [subprocess.Popen(each, stderr=subprocess.DEVNULL) for each in words]
            assert [process.wait() for process in started] == [0] * len(started)

        return _timed(all_hosts)

    def apply(self) -> Run:
        """The index is made and approved before the time runs."""
        index = self.repo.root / self.repo.run("plan", "--all", "--json", expect=1).json["index"]
        self.repo.approve(index)
        return _timed(lambda: self.repo.apply(index, "--parallel", str(HOSTS)))

    def by_others(self, mode: int) -> dict[str, Run]:
        """The same services as by hand, with values that neither of them has seen."""
        runs = {}
        for name, run in self.others.ways().items():
            self.others.write(f"{name}-{mode}")
            runs[f"`{name}`"] = _timed(run)
        return runs

    def change(self, mode: int) -> None:
        """Another value in the environment of every service, committed."""
        for host in range(HOSTS):
            for name in NAMES:
                health = {"timeout": "60s", "stable_for": "0s"}
                module = f"h{host}-{name}"
                self.repo.add_module(module, _service(module, str(mode)), host=f"host{host}", health=health)


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (
        tempfile.TemporaryDirectory(prefix="platformctl-benchmark-") as name,
        Lab.up(HOSTS, Path(name)) as lab,
        far_away(lab.network, round_trip()),
    ):
        _print(_rounds(_bench(Path(name), lab)))


def _bench(folder: Path, lab: Lab) -> Bench:
    hosts = {f"host{n}": host for n, host in enumerate(lab.hosts)}
    repo = replace(PlatformRepo.create(folder / "platform", hosts), starts=True)
    root = f"{lab.hosts[0].root}/raw"
    projects = [Project(f"raw-{name}", f"{root}/{name}.yaml", root) for name in NAMES]
    others = Others(folder, lab.hosts, [projects] * HOSTS)
    bench = Bench(lab.hosts, repo, lab.directory / SSH_CONFIG, others)
    for host in lab.hosts:
        for name in NAMES:
            host.write(f"raw/{name}.yaml", json.dumps(_service(name, "${MODE}")).encode())
    bench.change(0)
    bench.raw("0")
    bench.apply()
    return bench


def _rounds(bench: Bench) -> Mapping[str, list[Run]]:
    runs: dict[str, list[Run]] = {}
    for mode in range(1, ROUNDS + 1):
        bench.change(mode)
        runs.setdefault("ten times `ssh HOST` with five `up`", []).append(bench.raw(str(mode)))
        runs.setdefault("`platformctl apply INDEX`", []).append(bench.apply())
        for name, run in bench.by_others(mode).items():
            runs.setdefault(name, []).append(run)
    return runs


def _print(runs: Mapping[str, Sequence[Run]]) -> None:
    row("command", "median", "times ssh", "fastest", "times ssh", "own CPU")
    row(*["---"] * 6)
    base, least = (pick(run.wall for run in next(iter(runs.values()))) for pick in (median, min))
    for name, these in runs.items():
        middle, best = (pick(run.wall for run in these) for pick in (median, min))
        own = min(run.own for run in these)
        row(name, f"{middle:.1f} s", f"{middle / base:.2f}", f"{best:.1f} s", f"{best / least:.2f}", f"{own:.1f} s")


def _timed(command: Callable[[], object]) -> Run:
    before, began = processor(), time.perf_counter()
    command()
    return Run(time.perf_counter() - began, processor() - before)


def _service(name: str, mode: str) -> dict[str, object]:
    service = {"image": "platformctl-lab/sleeper:1", "environment": {"MODE": mode}, "stop_grace_period": "0s"}
    return {"services": {name: service}}


if __name__ == "__main__":
    main()
