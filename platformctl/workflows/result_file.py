"""Read what `--result-file` wrote: how an apply ended, for commands that tell others of it."""

from pathlib import Path

from platformctl.errors import ExitCode, InvalidInput, Usage
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass


@dataclass(frozen=True)
class ResultFile:
    """The fields that are told on. `plan_digest` is that of the plan the operator gave, whether or not it ran."""

    command: str
    exit_code: int
    outcome: str
    mutated: str
    plan_digest: str | None
    hosts: tuple[str, ...]
    reason: str
    canary: str | None

    @property
    def code(self) -> ExitCode:
        """The exit code as a member of `ExitCode`."""
        return ExitCode(self.exit_code)

    @property
    def is_good(self) -> bool:
        """Whether the command did what was asked for, even if that was nothing."""
        return self.code in (ExitCode.APPLIED, ExitCode.NO_CHANGES, ExitCode.CHANGES_PRESENT)


def read_result_file(path: Path) -> ResultFile:
    """Return what a file says. Raises `Usage` if it can not be read, `InvalidInput` if it is no result file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Usage("a result file can not be read", detail=f"{path}: {error.strerror}", hint="name another") from error
    found = codec.decode(ResultFile, strict_json.load(content, path.name), path.name, ignore_unknown=True)
    if found.exit_code not in list(ExitCode):
        raise InvalidInput("a result file has an exit code that there is not", file=str(path))
    return found
