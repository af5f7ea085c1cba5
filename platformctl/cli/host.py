"""`platformctl host trust` and `platformctl host prepare`."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from platformctl.cli import printing, wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.model.desired import HostEntry
from platformctl.model.reports import TextReport, TrustReport
from platformctl.sockets import TRANSPORTS
from platformctl.transports.table import scan_host_keys
from platformctl.workflows import machines as workflow


class _Remote(click.ParamType[str]):
    """A transport to another machine: one of ours, or one that an installed package brings."""

    name = "transport"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; raise click's usage error for one that nobody brings. Ours are found without a search."""
        ours = tuple(name for name in TRANSPORTS.own if name != "local")
        if value not in ours and value not in TRANSPORTS.others:
            self.fail(f"{value!r} is not one of {', '.join((*ours, *TRANSPORTS.others))}", param, ctx)
        return str(value)


@click.group("host")
def command() -> None:
    """Pin a host, or print what makes a new one ready."""


def new_host_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where a host is that is not in .platform/hosts.yaml yet, and its user."""
    options = (
        click.option("--address", metavar="ADDRESS", help="Where a host is that is not in .platform/hosts.yaml yet."),
        click.option(
            "--transport",
            type=_Remote(),
            default=workflow.NewHost.transport,
            metavar="NAME",
            help="How: ssh, openssh, tailscale, or one that is installed; default ssh.",
        ),
        click.option("--node-id", metavar="ID", help="For tailscale: the peer's ID in tailscale status --json."),
        click.option("--dns-name", metavar="NAME", help="For tailscale: its DNSName there, without the last dot."),
        click.option("--port", type=click.IntRange(1, 65535), default=22, help="Its SSH port; default 22."),
        click.option("--user", default=workflow.NewHost.user, help="Its agent user; never root."),
        click.option("--root", default=workflow.NewHost.root, help="The folder below which everything is delivered."),
    )
    for option in options:
        function = option(function)
    return function


@verb("trust", ExitCode.NO_CHANGES, ExitCode.UNREACHABLE, ExitCode.WRONG_HOST)
@click.argument("host")
@click.option("--fingerprint", metavar="SHA256:…", help="The fingerprint you know from elsewhere.")
@new_host_options
@click.pass_context
def trust(context: click.Context, /, host: str, fingerprint: str | None, **place: Any) -> TrustReport:
    """Print the keys HOST offers; with one of them confirmed, print its entry for .platform/hosts.yaml."""
    request = workflow.TrustRequest(workflow.NewHost(host, **place), fingerprint, ask=_ask, scan=_scan)
    return workflow.trust(wiring.parts(context), request)


@verb("prepare", ExitCode.NO_CHANGES)
@click.argument("host")
@new_host_options
@click.pass_context
def prepare(context: click.Context, /, host: str, **place: Any) -> TextReport:
    """Print the script that root runs on HOST to make it ready; nothing is run."""
    return workflow.prepare(wiring.parts(context), workflow.NewHost(host, **place))


def _ask(keys: tuple[Mapping[str, str], ...]) -> str | None:
    """Ask for the fingerprint; return None if there is nobody to ask.

    It must be typed, not confirmed, so that it is known from elsewhere.
    """
    if not wiring.on_terminal():
        return None
    for key in keys:
        printing.progress(f"{key['type']} {key['fingerprint']}")
    return str(click.prompt("type the fingerprint you were given by whoever runs the host", err=True))


def _scan(entry: HostEntry) -> tuple[tuple[str, str], ...]:
    return scan_host_keys(entry, wiring.environment())


command.add_command(trust)
command.add_command(prepare)
