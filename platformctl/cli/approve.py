"""`platformctl approve`."""

from pathlib import Path

import click

from platformctl.cli import printing, wiring
from platformctl.cli.options import PATH, key_option, trust_options
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, Usage
from platformctl.model.reports import Report, ShowReport
from platformctl.render import human
from platformctl.workflows import approve as workflow
from platformctl.workflows.parts import TrustSource


@verb(
    "approve",
    ExitCode.NO_CHANGES,
    ExitCode.POLICY_VIOLATION,
    ExitCode.APPROVAL_MISMATCH,
    ExitCode.DESTRUCTIVE_NEEDS_APPROVAL,
    ExitCode.STALE_PLAN,
    ExitCode.INVALID_INPUT,
    ExitCode.INTERRUPTED,
)
@click.argument("plan", type=PATH, required=False)
@click.option("--trust-change", metavar="REF", help="Vouch for what changed in the trust roots since REF instead.")
@click.option("--allow-destructive", is_flag=True, help="Allow what can not be taken back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--comment", default="", help="A word for whoever reads the approval.")
@click.option("--out", type=PATH, metavar="F", help="Write the approval to F.")
@key_option("Your key; default PLATFORMCTL_KEY, git's SSH signing key, or the one that init made.")
@trust_options
@click.pass_context
def command(
    context: click.Context,
    plan: Path | None,
    trust_change: str | None,
    allow_destructive: bool,
    yes: bool,
    comment: str,
    out: Path | None,
    key: Path | None,
    trust_ref: str | None,
    trust_root: Path | None,
) -> Report:
    """Sign that a plan may run, after looking at it."""
    parts = wiring.parts(context, TrustSource(trust_ref, trust_root))
    if trust_change is not None:
        person = wiring.person_key(key, parts.repository)
        return workflow.vouch(parts, workflow.VouchRequest(trust_change, person, comment))
    if plan is None:
        raise Usage("no plan is named", hint="platformctl approve PLAN")
    request = workflow.ApproveRequest(
        plan=plan,
        key=wiring.person_key(key, parts.repository),
        allow_destructive=allow_destructive,
        comment=comment,
        out=out,
        confirm=_assume if yes else _ask,
    )
    return workflow.approve(parts, request)


def _assume(shows: tuple[ShowReport, ...], subject: workflow.Subject) -> bool:
    """Show the plans without asking (`--yes`), unless one is destructive and there is a person to ask."""
    if subject.destructive and wiring.on_terminal():
        return _ask(shows, subject)
    _show(shows)
    return True


def _ask(shows: tuple[ShowReport, ...], subject: workflow.Subject) -> bool:
    """Show the plans and ask; a destructive one wants the module's name typed, so that nobody answers by habit."""
    if not wiring.on_terminal():
        raise Usage("nobody can be asked", detail="stdin is not a terminal", hint="look at the plan, then add --yes")
    _show(shows)
    if subject.destructive:
        return bool(click.prompt(f"type {subject.name} to approve", err=True) == subject.name)
    return click.confirm(f"approve {subject.name} on {', '.join(subject.hosts)}?", err=True)


def _show(shows: tuple[ShowReport, ...]) -> None:
    for show in shows:
        for line in human.render(show).splitlines():
            printing.progress(line)
