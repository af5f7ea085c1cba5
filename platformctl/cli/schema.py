"""`platformctl schema`."""

import click

from platformctl.cli.verb import verb
from platformctl.errors import ExitCode, Usage
from platformctl.model.reports import TextReport


@verb("schema", ExitCode.NO_CHANGES)
@click.argument("name", required=False)
def command(name: str | None) -> TextReport:
    """Print the JSON schema NAME (module, hosts, policy), or the names of all."""
    from platformctl.manifests.schemas import generate

    files = generate()
    if name is None:
        return TextReport(text="\n".join(files))
    found = next((text for file, text in files.items() if file.split(".")[0] == name), None)
    if found is None:
        raise Usage("there is no such schema", detail=f"there are: {', '.join(f.split('.')[0] for f in files)}")
    return TextReport(text=found)
