"""Set a status of a commit that says how a run ended; a forge shows it, and can ask for it before a merge."""

from pathlib import Path

from platformctl.forges.interface import Forge
from platformctl.model.forge import CheckState
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha
from platformctl.model.reports import NoteReport
from platformctl.workflows.result_file import ResultFile, read_result_file

_LONGEST = 140
"""How many characters of a description GitHub takes; the others take more."""


@dataclass(frozen=True)
class StatusRequest:
    """Which check of which commit to set, and its state: in words, or as the result file of a run says."""

    commit: GitSha
    name: str
    state: CheckState | None
    result: Path | None
    description: str
    link: str


def status_check(forge: Forge, request: StatusRequest) -> NoteReport:
    """Set one status of one commit. Raises what reading the result file and the forge raise."""
    result = read_result_file(request.result) if request.result else None
    state = request.state or (_state(result) if result else CheckState.PENDING)
    description = request.description or (_description(result) if result else "")
    forge.set_check(request.commit, request.name, state, description[:_LONGEST], request.link)
    return NoteReport(message=f"✓ {request.name} of {request.commit[:12]}: {state.value}")


def _state(result: ResultFile) -> CheckState:
    return CheckState.SUCCESS if result.is_good else CheckState.FAILURE


def _description(result: ResultFile) -> str:
    """Return a description built of words of ours alone: a reason may quote what a host said."""
    canary = f"; canary {result.canary}" if result.canary else ""
    return f"{result.command}: {result.code.name} ({result.exit_code}); host touched: {result.mutated}{canary}"
