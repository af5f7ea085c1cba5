"""Plan a module of the repository named, with a clock that stands still, and write the plan's file to standard output.

python -m tests.planning.fixed_time REPOSITORY MODULE KEY
"""

import dataclasses
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.verb import chosen
from platformctl.workflows.plan import PlanRequest, plan_now


class StandingClock:
    """It is always the same moment."""

    def now(self) -> datetime:
        return datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def wait(self, seconds: float) -> None:
        raise AssertionError("a plan waits for nothing")


def main(repository: str, module: str, key: str) -> None:
    context = click.Context(click.Command("plan"))
    chosen(context).directory = repository
    parts = dataclasses.replace(wiring.parts(context), clock=StandingClock())
    report = plan_now(parts, PlanRequest(modules=(module,), offline=True, key=Path(key)))
    sys.stdout.buffer.write((Path(repository) / str(report.plans[0].path)).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
