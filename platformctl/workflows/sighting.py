"""Read an observation that was written down: whose signature it has, and what it says of a module."""

from pathlib import Path

from platformctl import observing
from platformctl.errors import ApprovalMismatch, Refusal, Unreachable
from platformctl.model.desired import Release
from platformctl.model.moment import OBSERVER_SKEW, Moment
from platformctl.model.policy import TrustRoots
from platformctl.trust.fleet_observation import PAYLOAD_TYPE, FleetObservation, decode_fleet
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import OBSERVATION
from platformctl.workflows.looking import Seen
from platformctl.workflows.parts import Parts, keyring
from platformctl.workflows.records import memory_from
from platformctl.workflows.signed import read_envelope


def read_observation(parts: Parts, path: Path, roots: TrustRoots) -> FleetObservation:
    """Return the observation in a file, once its signature by a planner of the trust roots holds.

    Raises `ApprovalMismatch` when it is unsigned, signed by a stranger, or from the future.
    """
    sealed = read_envelope(path)
    now = parts.clock.now()
    sole_signer(sealed, PAYLOAD_TYPE, OBSERVATION, keyring(parts, roots), now)
    fleet = decode_fleet(sealed.payload)
    if Moment.parse(fleet.at).at > now + OBSERVER_SKEW:
        raise ApprovalMismatch(
            "an observation is from the future",
            detail=f"made at {fleet.at}",
            hint="set the clock of the one that is wrong",
            reason="created_in_future",
        )
    return fleet


def seen_then(parts: Parts, fleet: FleetObservation, release: Release, roots: TrustRoots) -> Seen | Refusal | None:
    """Return what was seen of a release's module on its host; None if the module was not there yet.

    Returns a refusal if nothing was seen of it, or the observation is of another machine than the pinned one.
    """
    host = release.host.name
    unseen = next((each for each in fleet.unseen if each.module == release.module.id), None)
    seen = next((each for each in fleet.modules if each.module == release.module.id and each.host == host), None)
    if seen is None and unseen is None and any(each.host == host for each in fleet.modules):
        return None
    if seen is None:
        return Unreachable(
            "the observation has nothing of this module",
            detail=f"{host} at {fleet.at}: {unseen.summary if unseen else 'no module of this host was seen'}",
            hint="platformctl observe, where the host can be reached",
            reason="connect",
            host=host,
        )
    try:
        observing.refuse_stranger(seen.observation.identity, release.host)
        content = seen.record.encode() if seen.record is not None else None
        memory = memory_from(content, release.module.id, host, keyring(parts, roots), parts.clock.now())
    except Refusal as refusal:
        return refusal
    return Seen(seen.observation, memory)
