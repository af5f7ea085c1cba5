"""What the benchmarks share: run a command, and know its wall time, its memory and how it ended."""

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = (sys.executable, "-m", "platformctl")


@dataclass(frozen=True)
class Timed:
    """One command: median and least wall time of its runs in seconds, greatest memory in MiB, and the last exit status.

    The least is the run that other work on the machine disturbed least; `processor` is the least time of a processor,
    with that of the programs it ran, which other work disturbs less still.
    """

    seconds: float
    fastest: float
    mebibytes: float
    status: int
    processor: float = 0.0


@dataclass(frozen=True)
class Subject:
    """A command to measure, and where it runs; `environment` is added to ours."""

    words: Sequence[str]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)


def timed_in_turn(subjects: Mapping[str, Subject], rounds: int) -> Mapping[str, Timed]:
    """Run every command once a round, so that what else the machine does falls on all of them alike."""
    results = [{name: _once(subject) for name, subject in subjects.items()} for _ in range(rounds)]
    return {name: _summary([result[name] for result in results]) for name in subjects}


def _summary(results: Sequence[Timed]) -> Timed:
    return Timed(
        seconds=median(result.seconds for result in results),
        fastest=min(result.fastest for result in results),
        mebibytes=max(result.mebibytes for result in results),
        status=results[-1].status,
        processor=min(result.processor for result in results),
    )


def _once(subject: Subject) -> Timed:
    """Measured with wait4, so that the memory is that of this child alone; Python may keep what it compiled."""
    environment = {**os.environ, **subject.environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    child = subprocess.Popen(
        subject.words, cwd=subject.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return Timed(seconds, seconds, usage.ru_maxrss / 1024, child.returncode, processor=usage.ru_utime + usage.ru_stime)


def processor() -> float:
    """Seconds of a processor, in user and system mode, that the programs used which we ran and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def round_trip() -> float:
    """Seconds that hosts are away, from the first operand in milliseconds; the network is as it is without one."""
    return int(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0


def machine() -> str:
    """The machine in a line, for docs/benchmarks.md."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def row(*cells: object) -> None:
    """Print one row of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |")
