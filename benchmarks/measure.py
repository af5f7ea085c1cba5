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
    """One command: median wall time of the runs in seconds, greatest memory in MiB, and the last exit status."""

    seconds: float
    mebibytes: float
    status: int


def timed(words: Sequence[str], runs: int, *, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Timed:
    """Run `words` so often and measure each run; output is thrown away."""
    results = [_once(words, cwd, {**os.environ, **(environment or {})}) for _ in range(runs)]
    return Timed(
        seconds=median(result.seconds for result in results),
        mebibytes=max(result.mebibytes for result in results),
        status=results[-1].status,
    )


def _once(words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Timed:
    """Measured with wait4, so that the memory is that of this child alone."""
    began = time.perf_counter()
    child = subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return Timed(seconds, usage.ru_maxrss / 1024, child.returncode)


def machine() -> str:
    """The machine in a line, for docs/benchmarks.md."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def row(*cells: object) -> None:
    """Print one row of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |")
