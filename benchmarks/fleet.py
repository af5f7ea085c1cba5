"""`apply INDEX` of ten hosts with five changed services each, beside raw ssh with one connection a host, in turn.

The hosts share this machine, so that their own work is the limit for both. Needs what the tests' lab needs.
An operand puts the hosts so many milliseconds of round trip away.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import machine, processor, round_trip, row
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

    def raw(self, mode: int) -> Run:
        """One connection for each host, all at once, and five `up` one after the other over it."""
        ups = "; ".join(f"MODE={mode} docker compose -f {self.hosts[0].root}/raw/{name}.yaml up -d" for name in NAMES)

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
        _print(*_rounds(_bench(Path(name), lab)))


def _bench(folder: Path, lab: Lab) -> Bench:
    repo = PlatformRepo.create(folder / "platform", {f"host{n}": host for n, host in enumerate(lab.hosts)})
    bench = Bench(lab.hosts, repo, lab.directory / SSH_CONFIG)
    for host in lab.hosts:
        for name in NAMES:
            host.write(f"raw/{name}.yaml", json.dumps({"name": f"raw-{name}", **_service(name, "${MODE}")}).encode())
    bench.change(0)
    bench.raw(0)
    bench.apply()
    return bench


def _rounds(bench: Bench) -> tuple[list[Run], list[Run]]:
    theirs, ours = [], []
    for mode in range(1, ROUNDS + 1):
        bench.change(mode)
        theirs.append(bench.raw(mode))
        ours.append(bench.apply())
    return theirs, ours


def _print(theirs: Sequence[Run], ours: Sequence[Run]) -> None:
    row("command", "median", "times ssh", "fastest", "times ssh", "own CPU")
    row(*["---"] * 6)
    for name, runs in (("ten times `ssh HOST` with five `up`", theirs), ("`platformctl apply INDEX`", ours)):
        middle, best = (pick(run.wall for run in runs) for pick in (median, min))
        base, least = (pick(run.wall for run in theirs) for pick in (median, min))
        own = min(run.own for run in runs)
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
