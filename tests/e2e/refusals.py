"""What every refusal of the program owes to people and to other programs, checked in one place."""

from typing import Any

from platformctl.errors import ExitCode
from tests.platform_repo import Ended


def refusal(ended: Ended, code: int, reason: str | None = None) -> dict[str, Any]:
    """The error object of a command that was given `--json` and refused with `code`; a reason is compared if given."""
    assert ended.code == code, f"{code} was expected\n{ended}"
    report = ended.json
    error: dict[str, Any] = report["error"]
    assert (report["kind"], report["status"], report["exit_code"]) == ("Error", "blocked", code), ended
    assert (error["code"], error["name"]) == (code, ExitCode(code).name), ended
    assert error["summary"], ended
    assert "Traceback" not in ended.stdout + ended.stderr, ended
    assert reason in (None, error["reason"]), ended
    return error
