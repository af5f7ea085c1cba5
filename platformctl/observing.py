"""Ask a host who it is and what runs there. Nothing here changes anything.

The identity is asked for first and compared before anything else is sent, so that a wrong machine learns nothing of a
release.
"""

from collections.abc import Sequence
from dataclasses import replace

from platformctl.drivers.interface import Driver, Question
from platformctl.errors import Refusal, Unreachable, WrongHost
from platformctl.model.command import Command, Completed, require_room
from platformctl.model.desired import HostEntry
from platformctl.model.moment import HOST_SKEW
from platformctl.model.observed import Identity, Observation
from platformctl.transports.interface import Transport


def identify(transport: Transport, driver: Driver, *, now: float | None, version: bool = False) -> Identity:
    """Return who answers, with `version` also with the orchestrator's version; `now` is in seconds since the epoch.

    Raises `WrongHost` unless it is the pinned machine and not uid 0, and `Unreachable` when it does not answer as
    expected or its clock differs by more than `HOST_SKEW` from `now`; None is for who does not ask for its time.
    """
    entry = transport.entry
    question = replace(driver.identify(version=version), followed=True)
    who = driver.read_identity(_answer(transport, question), entry)
    refuse_stranger(who, entry)
    if now is not None:
        refuse_other_time(who, entry, now)
    return who


def refuse_other_time(who: Identity, entry: HostEntry, now: float) -> None:
    """Raise `Unreachable` (`clock_skew`) when the host's clock differs by more than `HOST_SKEW` from `now`."""
    if abs(who.clock - now) > HOST_SKEW.total_seconds():
        raise Unreachable(
            "the host's clock is off",
            detail=f"{entry.name} is {int(who.clock - now)} seconds from here",
            hint="set the clock of the one that is wrong",
            reason="clock_skew",
            host=entry.name,
        )


def refuse_stranger(who: Identity, entry: HostEntry) -> None:
    """Raise `WrongHost` when machine id or engine id is not as pinned, none is pinned, or the user is root.

    Root is accepted only with the transport `local` and `allow_root`.
    """
    if who.uid == 0 and not (entry.transport == "local" and entry.allow_root):
        raise _wrong(entry, "the user is root", "uid 0 answered", "use the agent user: platformctl host prepare")
    pins = (("machine_id", entry.machine_id, who.machine_id), ("engine_id", entry.engine_id, who.engine_id))
    if all(pinned is None for _, pinned, _ in pins):
        raise _wrong(entry, "nothing about the machine is pinned", "neither machine_id nor engine_id is set", "")
    for name, pinned, live in pins:
        if pinned is not None and pinned != live:
            raise _wrong(entry, f"another {name} than pinned", f"pinned {pinned}, found {live}", "")


def observe(
    transport: Transport, driver: Driver, questions: Sequence[Question], identity: Identity, at: str
) -> tuple[Observation | Refusal, ...]:
    """Return everything that plans of a host's releases need: for each an observation, or why there is none.

    It takes one exchange. `at` is the time that the observations, and so the plans, will have.
    """
    return driver.read_look(_answer(transport, driver.look(questions, identity)), questions, identity, at)


def _answer(transport: Transport, question: Command) -> Completed:
    """Return the answer to a question; raises `Unreachable` when the question failed or the answer was truncated."""
    answer = transport.run(question)
    require_room(answer, transport.entry.name)
    if answer.status or answer.truncated:
        too_long = "is too long, or does not end: a program there keeps it open"
        what = too_long if answer.truncated else f"ended with status {answer.status}"
        raise Unreachable(
            "the host does not answer as expected",
            detail=f"{transport.entry.name}: the answer {what}",
            hint=f"platformctl doctor {transport.entry.name}",
            reason="connect",
            host=transport.entry.name,
        )
    return answer


def _wrong(entry: HostEntry, summary: str, detail: str, hint: str) -> WrongHost:
    pinned = hint or f"if the machine was replaced on purpose: platformctl host trust {entry.name}"
    return WrongHost(summary, detail=f"{entry.name}: {detail}", hint=pinned, host=entry.name)
