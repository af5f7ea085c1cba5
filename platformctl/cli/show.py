"""`platformctl show`."""

from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.options import plan_argument, trust_options
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.reports import Report
from platformctl.workflows import approve as workflow
from platformctl.workflows.parts import TrustSource


@verb("show", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT)
@plan_argument
@click.option("--payload", "what", flag_value="payload", help="Write the exact payload bytes.")
@click.option("--pae", "what", flag_value="pae", help="Write the exact bytes that are signed.")
@click.option("--signature", type=int, is_flag=False, flag_value=1, metavar="[N]", help="Write the Nth signature.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    plan: Path,
    what: str | None,
    signature: int | None,
    trust_ref: str | None,
    trust_root: Path | None,
) -> Report:
    """Render a plan, or write its exact bytes so that sha256sum and ssh-keygen can check it."""
    parts = wiring.parts(context, TrustSource(trust_ref, trust_root))
    if what or signature is not None:
        return workflow.show_bytes(plan, what or "signature", signature or 1)
    return workflow.show(parts, plan)
