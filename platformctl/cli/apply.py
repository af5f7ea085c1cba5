"""`platformctl apply`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import PATH, Duration, key_option, plan_argument, trust_options
from platformctl.cli.verb import chosen, verb
from platformctl.errors import APPLY_CODES
from platformctl.model.reports import Report
from platformctl.workflows import fleet
from platformctl.workflows.case import ApplyRequest
from platformctl.workflows.parts import TrustSource


@verb("apply", *APPLY_CODES)
@plan_argument
@click.option("--approved-sha", required=True, metavar="SHA", help="The full commit id that was approved.")
@click.option(
    "--approved-pr",
    type=click.IntRange(min=1),
    metavar="N",
    help="The pull request; it must agree where the policy names a forge.",
)
@click.option("--approval", "approvals", type=PATH, multiple=True, metavar="F", help="An approval to count too.")
@click.option("--parallel", type=click.IntRange(1, 64), default=fleet.PARALLEL, metavar="N", help="Hosts at a time.")
@click.option("--keep-going", is_flag=True, help="With an index: go on behind a plan that failed.")
@click.option("--lock-wait", type=Duration(), default=0, metavar="D", help="Wait so long for the host's lock.")
@click.option("--result-file", type=PATH, metavar="F", help="Write the outcome to F before exiting.")
@click.option("--exit-zero-on-success", is_flag=True, help="Exit 0 instead of 9.")
@key_option("Your key, for the receipt; default as with approve.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    plan: Path,
    approved_sha: str,
    approved_pr: int | None,
    approvals: tuple[Path, ...],
    parallel: int,
    keep_going: bool,
    lock_wait: int,
    result_file: Path | None,
    exit_zero_on_success: bool,
    key: Path | None,
    trust_ref: str | None,
    trust_root: Path | None,
) -> Report:
    """Verify an approved plan, plan again, run it, and prove what happened; with an index, each of its plans."""
    chosen(context).leave("apply", plan=plan, result_file=result_file, exit_zero=exit_zero_on_success)
    parts = wiring.parts(context, TrustSource(trust_ref, trust_root))
    request = ApplyRequest(
        plan=plan,
        approved_sha=approved_sha,
        key=wiring.person_key(key, parts.repository),
        approved_pr=approved_pr,
        approvals=approvals,
        lock_wait=lock_wait,
        phase=wiring.phase(),
    )
    wiring.be_patient()
    return fleet.apply(parts, request, fleet.Train(keep_going=keep_going, parallel=parallel))
