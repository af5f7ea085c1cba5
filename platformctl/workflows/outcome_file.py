"""Read what `--result-file` wrote: how an apply ended, for those who tell others of it."""

from pathlib import Path

from platformctl.errors import ExitCode, InvalidInput, Usage
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass


@dataclass(frozen=True)
class Outcome:
    """The fields that are told on. `plan_digest` is what the operator gave, whether or not it ran."""

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
        """What the exit code means."""
        return ExitCode(self.exit_code)

    @property
    def is_good(self) -> bool:
        """Whether the command did what was asked for, be it nothing."""
        return self.code in (ExitCode.APPLIED, ExitCode.NO_CHANGES, ExitCode.CHANGES_PRESENT)


def read_outcome(path: Path) -> Outcome:
    """The outcome in a file; raises `Usage` when there is none and `InvalidInput` for anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Usage("a result file can not be read", detail=f"{path}: {error.strerror}", hint="name another") from error
    found = codec.decode(Outcome, strict_json.load(content, path.name), path.name, ignore_unknown=True)
    if found.exit_code not in list(ExitCode):
        raise InvalidInput("a result file has an exit code that there is not", file=str(path))
    return found
