"""`platformctl init`."""

import getpass
import os
import platform
from pathlib import Path

import click

from platformctl.cli import wiring
from platformctl.cli.verb import verb
from platformctl.errors import ExitCode
from platformctl.gitinfo import Repository
from platformctl.model.reports import InitReport
from platformctl.workflows.init import InitRequest
from platformctl.workflows.init import init as scaffold


@verb("init", ExitCode.NO_CHANGES, ExitCode.INVALID_INPUT)
@click.pass_context
def command(context: click.Context) -> InitReport:
    """Scaffold a platform repository; what is there already stays as it is."""
    environment = wiring.environment()
    repository = Repository.discover(wiring.directory(context), environment)
    machine_id = Path("/etc/machine-id")
    signing_key = repository.signing_key()
    return scaffold(
        InitRequest(
            root=repository.root,
            keys=wiring.keys_folder(),
            person=repository.person() or f"{getpass.getuser()}@{platform.node()}",
            planner=getpass.getuser(),
            signing_key=Path(signing_key) if signing_key else None,
            machine_id=machine_id.read_text("utf-8").strip() if machine_id.is_file() else "",
            as_root=os.geteuid() == 0,
            environment=environment,
        )
    )
