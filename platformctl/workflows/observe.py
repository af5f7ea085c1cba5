"""Look at all hosts and write down, signed, what was seen: to make plans from where no host may be reached."""

from pathlib import Path

from platformctl.errors import ExitCode, Refusal, Usage
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import ModuleId
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import NoteReport
from platformctl.releases import module_ids
from platformctl.store.files import write_atomically
from platformctl.trust import envelope
from platformctl.trust.fleet_observation import (
    PAYLOAD_TYPE,
    FleetObservation,
    ModuleSeen,
    Unseen,
    encode_fleet,
)
from platformctl.trust.keys import seal
from platformctl.trust.signers import OBSERVATION
from platformctl.workflows.desire import Desire, agreed, release_at
from platformctl.workflows.guess import by_states
from platformctl.workflows.hosts import hosts
from platformctl.workflows.looking import Seen, look_at_all
from platformctl.workflows.parts import Parts, moment, shown, trust_roots

DEFAULT_FILE = "observation.json"
"""Name of the file below `.platform`."""


@dataclass(frozen=True)
class ObserveRequest:
    """The planner's key, and the file to write; None for the default below `.platform`."""

    key: Path | None
    out: Path | None = None


def observe(parts: Parts, request: ObserveRequest) -> NoteReport:
    """Look at every module of HEAD, and write down what was seen.

    The file also says which modules could not be looked at; if there are any, the exit code is 69. Raises `Usage`
    without a key.
    """
    if request.key is None:
        raise Usage(
            "there is no key to sign the observation with",
            detail="neither --key nor PLATFORMCTL_PLANNER_KEY names one",
            hint="platformctl init makes a planner key",
        )
    roots = trust_roots(parts)
    fleet = _look(parts, roots)
    sealed = seal(encode_fleet(fleet, parts.hide), PAYLOAD_TYPE, request.key, OBSERVATION, parts.environment)
    path = request.out or parts.platform / DEFAULT_FILE
    write_atomically(path, envelope.write(sealed), 0o644, within=None if request.out else parts.platform)
    count = len(fleet.modules)
    unseen = {str(each.module): f"not seen: {each.summary} ({each.detail})" for each in fleet.unseen}
    return NoteReport(
        exit_code=ExitCode.UNREACHABLE if fleet.unseen else ExitCode.NO_CHANGES,
        status="incomplete" if fleet.unseen else "ok",
        message=f"{'!' if fleet.unseen else '✓'} {count} module{'s' * (count != 1)} observed at {fleet.at}",
        details={**unseen, "observation": shown(parts, path), "digest": sealed.digest},
    )


def _look(parts: Parts, roots: TrustRoots) -> FleetObservation:
    """Return what was seen of the commit's modules. The working tree does not count: it says nothing of hosts."""
    now = parts.clock.now()
    desire = Desire(parts, roots, parts.repository.head())
    wanted = {name: _release(parts, desire, name, moment(now)[:10]) for name in module_ids(desire.commit)}
    releases = [each for each in wanted.values() if isinstance(each, Release)]
    with hosts(parts) as reached:
        seen = look_at_all(parts, reached, releases, roots, by_states(parts, releases))
    modules, unseen = [], []
    for name, release in wanted.items():
        answer = seen[name] if isinstance(release, Release) else release
        if isinstance(answer, Seen) and isinstance(release, Release):
            record = answer.memory.content.decode() if answer.memory.content else None
            modules.append(ModuleSeen(name, release.host.name, answer.observation, record))
        elif isinstance(answer, Refusal):
            host = release.host.name if isinstance(release, Release) else ""
            unseen.append(Unseen(name, host, answer.reason, answer.summary, answer.detail))
    return FleetObservation(desire.head, moment(now), tuple(modules), tuple(unseen))


def _release(parts: Parts, desire: Desire, name: ModuleId, today: str) -> Release | Refusal:
    try:
        release = release_at(parts, desire.roots, desire.head, name)
        agreed(release, desire.roots.policy, today)
        return release
    except Refusal as refusal:
        return refusal
