"""What is written down behind an apply, when that can not be done."""

from types import SimpleNamespace
from typing import Any

from platformctl.errors import ExitCode
from platformctl.model.result import ApplyResult
from platformctl.workflows.outcome import remember_outcome

NOTHING: Any = None
"""Stands for all that a mistake of ours may meet."""


def test_a_mistake_of_ours_behind_the_deed_does_not_hide_how_it_ended() -> None:
    result = ApplyResult(ExitCode.APPLIED, "", None)
    case: Any = SimpleNamespace(warnings=("it was late",), plan=None)
    outcome = remember_outcome(NOTHING, case, NOTHING, NOTHING, result, NOTHING, NOTHING)
    first, mistake, journal = outcome.warnings
    assert (outcome.result, first) == (result, "it was late")
    assert mistake.startswith("the receipt could not be written: platformctl made a mistake")
    assert "platformctl recover" in journal
