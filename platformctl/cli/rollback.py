"""`platformctl rollback`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import PATH, Duration, key_option, trust_options
from platformctl.cli.verb import chosen, verb
from platformctl.errors import APPLY_CODES
from platformctl.model.reports import Report
from platformctl.workflows import rollback as workflow
from platformctl.workflows.parts import TrustSource


@verb("rollback", *APPLY_CODES)
@click.argument("module")
@click.option("--to", metavar="SHA", help="Go back to the release of this commit; default: the one before.")
@click.option("--approved-pr", type=int, metavar="N", help="The pull request that brought that commit.")
@click.option("--lock-wait", type=Duration(), default=0, metavar="D", help="Wait so long for the host's lock.")
@click.option("--result-file", type=PATH, metavar="F", help="Write the outcome to F before exiting.")
@click.option("--exit-zero-on-success", is_flag=True, help="Exit 0 instead of 9.")
@click.option("--planner-key", type=PATH, metavar="F", help="The planner's key; default as with plan.")
@key_option("Your key; default as with approve.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    module: str,
    to: str | None,
    approved_pr: int | None,
    lock_wait: int,
    result_file: Path | None,
    exit_zero_on_success: bool,
    planner_key: Path | None,
    key: Path | None,
    trust_ref: str | None,
    trust_root: Path | None,
) -> Report:
    """Make the plan in the other direction and apply it, by the word of one person where policy accepts that.

    For another release than the one before, the plan is written and wants the approvals of any other; the same command
    goes on when it has them.
    """
    chosen(context).leave("rollback", result_file=result_file, exit_zero=exit_zero_on_success)
    parts = wiring.parts(context, TrustSource(trust_ref, trust_root))
    request = workflow.RollbackRequest(
        module=module,
        to=to,
        planner_key=wiring.planner_key(planner_key),
        key=wiring.person_key(key, parts.repository),
        phase=wiring.phase(),
        lock_wait=lock_wait,
        approved_pr=approved_pr,
    )
    wiring.be_patient()
    return workflow.roll_back(parts, request)
