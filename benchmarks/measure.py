"""What the benchmarks share: run a command, and know its wall time, its memory and how it ended."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = (sys.executable, "-m", "platformctl")


@dataclass(frozen=True)
class Timed:
    """One command: median and least wall time of its runs in seconds, greatest memory in MiB, and the last exit status.

    The least is the run that other work on the machine disturbed least.
    """

    seconds: float
    fastest: float
    mebibytes: float
    status: int


def timed_in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> Mapping[str, Timed]:
    """Run every command once a round, so that what else the machine does falls on all of them alike."""
    results = [{name: _once(words, ROOT, os.environ) for name, words in commands.items()} for _ in range(rounds)]
    return {name: _summary([result[name] for result in results]) for name in commands}


def timed(words: Sequence[str], runs: int, *, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Timed:
    """Run `words` so often and measure each run; output is thrown away."""
    return _summary([_once(words, cwd, {**os.environ, **(environment or {})}) for _ in range(runs)])


def _summary(results: Sequence[Timed]) -> Timed:
    return Timed(
        seconds=median(result.seconds for result in results),
        fastest=min(result.fastest for result in results),
        mebibytes=max(result.mebibytes for result in results),
        status=results[-1].status,
    )


def _once(words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Timed:
    """Measured with wait4, so that the memory is that of this child alone; Python may keep what it compiled."""
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    child = subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return Timed(seconds, seconds, usage.ru_maxrss / 1024, child.returncode)


def machine() -> str:
    """The machine in a line, for docs/benchmarks.md."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def row(*cells: object) -> None:
    """Print one row of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |")
