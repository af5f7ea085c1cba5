"""A connection that breaks at each phase of its life: nothing hangs, and what was not seen is not claimed.

What is said would change the host: of that alone it is promised that it is not sent where nobody may answer any more.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from platformctl.errors import OutcomeUnknown, Unreachable
from platformctl.model.command import Command
from tests.contracts.odd_host import OddHost
from tests.contracts.reach import BY_ADDRESS, WAYS, Reach
from tests.contracts.wire import Fault, Wire, wire

GREETING = ("banner", "key exchange", "login")
PHASES = (*GREETING, "session", "request", "output", "status")
FAULTS: tuple[Fault, ...] = ("drop", "reset", "one-way", "delay")
CASES = [
    pytest.param(
        reach,
        phase,
        fault,
        id=f"{way}-{phase}-{fault}",
        # Each phase and each fault in every run, on each program; all of them together when asked.
        marks=() if way in BY_ADDRESS and (number + turn + late) % len(FAULTS) == 0 else pytest.mark.thorough,
    )
    for late, (way, reach) in enumerate(WAYS.items())
    for number, phase in enumerate(PHASES)
    for turn, fault in enumerate(FAULTS)
]
CONNECTING, DEADLINE, GRACE = 1.5, 1.0, 5.0
"""Seconds for each step of connecting, for a command, and for finding out."""


@pytest.fixture
def path(odd: OddHost) -> Iterator[Wire]:
    with wire(odd.port) as made:
        yield made


@pytest.mark.parametrize(("reach", "phase", "fault"), CASES)
def test_a_connection_that_breaks_ends_in_time_and_with_the_right_word(
    reach: Reach, phase: str, fault: Fault, odd: OddHost, path: Wire
) -> None:
    odd.reached = lambda reached: path.breaks(fault) if reached == phase else None
    if phase == "banner":
        path.breaks(fault)
    if phase == "key exchange":
        path.breaks_after_banner = fault
    # Where connecting is not what breaks, and where all comes late, time is not what is tried.
    connecting = CONNECTING if phase in GREETING and fault != "delay" else 4.0 if phase == "session" else 20.0
    deadline = 20.0 if fault == "delay" else DEADLINE
    with reach(replace(odd.entry, port=path.port), odd.environment, timeout=connecting) as transport:
        if phase == "session":
            transport.run(Command(("anything",)))
            path.breaks(fault)
        begun = time.monotonic()
        word = ended(lambda: transport.run(Command(("phases",), timeout=deadline, mutates=True)).text)

    assert time.monotonic() - begun < 2 * connecting + deadline + GRACE
    assert word in expected(phase, fault)
    if word is Unreachable:
        assert "phases" not in odd.commands


def ended(deed: Callable[[], str]) -> object:
    try:
        return deed()
    except (Unreachable, OutcomeUnknown) as raised:
        return type(raised)


def expected(phase: str, fault: Fault) -> tuple[object, ...]:
    if fault == "delay":
        return ("half an answer",)
    if phase in GREETING:
        return (Unreachable,)
    if phase == "session" and fault == "reset":
        return (Unreachable, OutcomeUnknown)  # ssh may have ended before it could say that it sent nothing
    return (Unreachable,) if phase == "session" else (OutcomeUnknown,)
