"""The outcome for programs that only see files: `--result-file`, and the outputs of a CI step."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from platformctl.cli import printing
from platformctl.errors import EXIT_CODES, ExitCode, Refusal, ToolError, Touched
from platformctl.model import strict_json
from platformctl.model.codec import encode
from platformctl.model.reports import SCHEMA_VERSION, ApplyReport, FleetReport, Report
from platformctl.model.result import CanaryResult
from platformctl.store.files import write_atomically

_OUTPUTS = ("GITHUB_OUTPUT", "FORGEJO_OUTPUT")


def outcome_of(report: Report, command: str, plan: Path | None = None) -> dict[str, Any]:
    """What is written: the same words as in the report itself; a refused plan is named by its digest all the same.

    There are changes also where some module's could not be told, and the exit code speaks of that.
    """
    outcomes = report.outcomes if isinstance(report, FleetReport) else ()
    one = getattr(report, "host", None)
    touched = EXIT_CODES[report.exit_code].touched
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "exit_code": int(report.exit_code),
        "outcome": report.status,
        "mutated": getattr(report, "mutated", "no" if touched is Touched.NO else "unknown"),
        "plan_digest": getattr(report, "plan_digest", None) or _digest(plan),
        "source_sha": getattr(report, "source_sha", None) or _commit(report, plan),
        "hosts": sorted({outcome.host for outcome in outcomes}) or ([one] if one else []),
        "modules": encode(outcomes),
        "reason": getattr(report, "reason", ""),
        "canary": _canary(getattr(report, "canary", None)),
        **({"changes": getattr(report, "has_changes", False)} if command in ("plan", "drift") else {}),
    }


def _canary(result: CanaryResult | None) -> str | None:
    """Return the canary's result in one word; None if none was run."""
    return None if result is None or not result.ran else "passed" if result.ok else "failed"


def _digest(plan: Path | None) -> str | None:
    """Return the digest of what the operator gave, whether or not it may be believed; None if it is no envelope."""
    from platformctl.workflows.signed import read_envelope  # it imports all of trust

    try:
        return read_envelope(plan).digest if plan else None
    except Refusal:
        return None


def _commit(report: Report, plan: Path | None) -> str | None:
    """Return the commit of a plan whose host refused it, as it was verified before that; None for other ends."""
    if plan is None or report.exit_code is not ExitCode.PREPARE_FAILED:
        return None
    from platformctl.trust.plan_codec import decode_plan
    from platformctl.workflows.signed import read_envelope

    try:
        return decode_plan(read_envelope(plan).payload).source_sha
    except Refusal:
        return None


def written(report: Report, command: str, path: Path | None, plan: Path | None) -> Report:
    """Write the outcome where that was asked for, and return the report.

    What can not be written becomes a warning, as the host stays as it is.
    """
    if path is None and not any(os.environ.get(name) for name in _OUTPUTS):
        return report
    try:
        _write(printing.cleaned(outcome_of(report, command, plan)), path, os.environ)
    except (ToolError, OSError) as error:
        warning = f"the outcome could not be written: {error}"
        if isinstance(report, ApplyReport):
            return replace(report, warnings=(*report.warnings, warning))
        printing.progress(f"! {warning}")
    return report


def _write(outcome: Mapping[str, Any], path: Path | None, environment: Mapping[str, str]) -> None:
    if path is not None:
        write_atomically(path, strict_json.dump(outcome) + b"\n", 0o644)
    for output in dict.fromkeys(environment[name] for name in _OUTPUTS if environment.get(name)):
        _append(Path(output), outcome)


def _append(path: Path, outcome: Mapping[str, Any]) -> None:
    """Add each value with a delimiter; that is random, so that no value can end its own block."""
    lines = []
    for key, value in outcome.items():
        delimiter = f"platformctl-{secrets.token_hex(8)}"
        text = value if isinstance(value, str) else strict_json.dump(value).decode()
        lines.append(f"{key}<<{delimiter}\n{text}\n{delimiter}\n")
    with path.open("a", encoding="utf-8") as output:
        output.write("".join(lines))
