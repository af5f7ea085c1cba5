"""`apply` of one service, unchanged and changed, beside `ssh HOST docker compose up -d` in the same run on a lab host.

Needs what the tests' lab needs (root, Docker, sshd). What went over the wire is counted in the log of the host's sshd.
An operand puts the hosts so many milliseconds of round trip away.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.measure import machine, processor, round_trip, row
from tests.lab import Host, Lab
from tests.lab.client import SSH_CONFIG
from tests.lab.delay import far_away
from tests.lab.machine import run
from tests.platform_repo import PlatformRepo

ROUNDS = 7
RAW = "raw/compose.yaml"
LOG = "/var/log/sshd.log"
TELL_MORE = "echo LogLevel VERBOSE >>/etc/ssh/sshd_config && kill -HUP $(cat /run/sshd.pid)"
"""Only then sshd's log has each remote command."""
HANDSHAKES, EXCHANGES = "Accepted publickey", "Starting session"


@dataclass(frozen=True)
class Run:
    """One command: its wall time in seconds, the processor time of all that ran on this side, and the logins and remote
    commands that the host's sshd saw meanwhile.
    """

    seconds: float
    own: float
    handshakes: int
    exchanges: int


@dataclass(frozen=True)
class Bench:
    """One host, one repository with a service on it, and the same service brought up by hand beside it."""

    host: Host
    repo: PlatformRepo
    ssh: tuple[str, ...]

    def raw(self, mode: str) -> Run:
        """`docker compose up` over a connection of its own."""
        up = f"MODE={mode} docker compose -f {self.host.root}/{RAW} up -d web"
        return self._timed(lambda: run(*self.ssh, up))

    def apply(self, *, changed: bool) -> Run:
        """`platformctl apply` of a plan that is made, and approved where it needs that, before the time runs."""
        plan = self.repo.plan("web", expect=1 if changed else 0)
        if changed:
            self.repo.approve(plan)
        return self._timed(lambda: self.repo.apply(plan, expect=9 if changed else 0))

    def change(self, mode: str) -> None:
        """Another value in the service's environment, committed."""
        self.repo.add_module("web", _service(8080, mode), health={"timeout": "20s", "stable_for": "0s"})

    def _timed(self, command: Callable[[], object]) -> Run:
        lines = len(self._log())
        before, began = processor(), time.perf_counter()
        command()
        seconds, own = time.perf_counter() - began, processor() - before
        seen = self._log()[lines:]
        return Run(seconds, own, sum(HANDSHAKES in line for line in seen), sum(EXCHANGES in line for line in seen))

    def _log(self) -> list[str]:
        return self.host.sh(f"cat {LOG}").splitlines()


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (
        tempfile.TemporaryDirectory(prefix="platformctl-benchmark-") as name,
        Lab.up(1, Path(name)) as lab,
        far_away(lab.network, round_trip()),
    ):
        _print(_rounds(_bench(Path(name), lab)))


def _bench(folder: Path, lab: Lab) -> Bench:
    host = lab.hosts[0]
    bench = Bench(
        host,
        replace(PlatformRepo.create(folder / "platform", {"rs2000": host}), starts=True),
        ("ssh", "-F", str(lab.directory / SSH_CONFIG), host.name),
    )
    host.sh(TELL_MORE)
    bench.change("0")
    host.write(RAW, json.dumps(_service(8081, "${MODE}")).encode())
    bench.raw("0")
    bench.repo.deploy("web")
    return bench


def _rounds(bench: Bench) -> dict[str, list[Run]]:
    """All four in turn, so that what else the machine does falls on all of them alike."""
    results: dict[str, list[Run]] = {name: [] for name in ("raw", "apply", "raw changed", "apply changed")}
    for number in range(1, ROUNDS + 1):
        results["raw"].append(bench.raw(str(number - 1)))
        results["apply"].append(bench.apply(changed=False))
        bench.change(str(number))
        results["raw changed"].append(bench.raw(str(number)))
        results["apply changed"].append(bench.apply(changed=True))
    return results


def _print(results: dict[str, list[Run]]) -> None:
    row("command", "service", "median", "times ssh", "fastest", "times ssh", "own CPU", "handshakes", "exchanges")
    row(*["---"] * 9)
    for service, ours, theirs in (
        ("unchanged", results["apply"], results["raw"]),
        ("changed", results["apply changed"], results["raw changed"]),
    ):
        for name, runs in (("`ssh HOST docker compose up -d web`", theirs), ("`platformctl apply`", ours)):
            row(name, service, *_cells(median, runs, theirs), *_cells(min, runs, theirs), *_counts(runs))


def _cells(summary: Callable[[list[float]], float], runs: list[Run], theirs: list[Run]) -> tuple[str, str]:
    seconds, base = (summary([each.seconds for each in some]) for some in (runs, theirs))
    return f"{seconds:.2f} s", f"{seconds / base:.2f}"


def _counts(runs: list[Run]) -> tuple[str, int, int]:
    own = f"{min(each.own for each in runs):.2f} s"
    return own, max(each.handshakes for each in runs), max(each.exchanges for each in runs)


def _service(port: int, mode: str) -> dict[str, object]:
    web = {"image": "platformctl-lab/web:1", "ports": [f"{port}:8080"], "environment": {"MODE": mode}}
    return {"services": {"web": {**web, "restart": "unless-stopped"}}}


if __name__ == "__main__":
    main()
