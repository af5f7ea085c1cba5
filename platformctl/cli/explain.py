"""`platformctl explain`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import PATH, plan_argument, trust_options
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import ExplainReport
from platformctl.workflows import explain as workflow
from platformctl.workflows.parts import TrustSource


@verb(
    "explain",
    ExitCode.NO_CHANGES,
    ExitCode.POLICY_VIOLATION,
    ExitCode.APPROVAL_MISMATCH,
    ExitCode.DESTRUCTIVE_NEEDS_APPROVAL,
    ExitCode.STALE_PLAN,
    ExitCode.INVALID_INPUT,
    ExitCode.UNREACHABLE,
    ExitCode.LOCKED,
    ExitCode.WRONG_HOST,
)
@plan_argument
@click.option("--approval", "approvals", type=PATH, multiple=True, metavar="F", help="An approval to count too.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    plan: Path,
    approvals: tuple[Path, ...],
    trust_ref: str | None,
    trust_root: Path | None,
) -> ExplainReport:
    """Compare a plan with now: would it still be applied, and what differs, field by field. Changes nothing."""
    return workflow.explain(wiring.parts(context, TrustSource(trust_ref, trust_root)), plan, approvals, wiring.phase())
