"""`platformctl plan`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import PATH, Duration, key_option, modules_argument, sarif_option, trust_options
from platformctl.cli.verb import chosen, verb
from platformctl.errors import ExitCode
from platformctl.model.reports import PlanReport
from platformctl.workflows import plan as workflow
from platformctl.workflows.parts import TrustSource


@verb(
    "plan",
    ExitCode.NO_CHANGES,
    ExitCode.CHANGES_PRESENT,
    ExitCode.POLICY_VIOLATION,
    ExitCode.APPROVAL_MISMATCH,
    ExitCode.INVALID_INPUT,
    ExitCode.UNREACHABLE,
    ExitCode.WRONG_HOST,
)
@modules_argument
@click.option("--all", "everything", is_flag=True, help="Plan every module, and write an index of what changes.")
@click.option("--out", type=PATH, metavar="F", help="Write the plan to F.")
@click.option("--offline", is_flag=True, help="Plan from recorded state; such a plan can not be applied.")
@click.option("--observation", type=PATH, metavar="F", help="Plan from what observe saw; it can not be applied.")
@click.option("--expires-in", type=Duration(), metavar="D", help="How long the plan lives, such as 8h.")
@key_option("The planner's key; default PLATFORMCTL_PLANNER_KEY, or the one that init made.")
@click.option("--long", is_flag=True, help="Show what stays as it is, too.")
@sarif_option
@click.option("--detailed-exitcode", is_flag=True, help="0 no changes, 2 changes, 1 anything else.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    modules: tuple[str, ...],
    everything: bool,
    out: Path | None,
    offline: bool,
    observation: Path | None,
    expires_in: int | None,
    key: Path | None,
    long: bool,
    sarif: Path | None,
    detailed_exitcode: bool,  # noqa: ARG001 - read from the words before parsing, see platformctl.__main__
    trust_ref: str | None,
    trust_root: Path | None,
) -> PlanReport:
    """Say what would change on the host and why, and sign that."""
    chosen(context).leave("plan", sarif=sarif)
    request = workflow.PlanRequest(
        modules=modules,
        everything=everything,
        offline=offline,
        observation=observation,
        out=out,
        expires_in=expires_in,
        key=wiring.planner_key(key),
        long=long,
    )
    return workflow.plan_now(wiring.parts(context, TrustSource(trust_ref, trust_root)), request)
