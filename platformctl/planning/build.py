"""Put a plan together. Time and everything else that varies is an input: same inputs, same plan."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from platformctl.drivers.interface import Driver
from platformctl.errors import PolicyViolation
from platformctl.model.desired import Delivery, HostEntry, ModuleKind, Release, Strategy
from platformctl.model.finding import LINKED_MOUNT, SHARED_VOLUME, Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, ServiceName
from platformctl.model.observed import Earlier, Observation, Source
from platformctl.model.plan import (
    Bystander,
    Change,
    Plan,
    PlannedFile,
    PlannedHost,
    PlannedImage,
    PlannedObservation,
    PlannedTrust,
    PolicyNote,
    Rollback,
    Step,
    is_own,
)
from platformctl.model.policy import TrustRoots
from platformctl.model.state import HostRecord, ModuleStatus, Receipt
from platformctl.planning.besides import bystanders, left_behind
from platformctl.planning.diff import diff
from platformctl.planning.hiding import Hide
from platformctl.planning.recorded import expected
from platformctl.planning.refusals import (
    refuse_contradictions,
    refuse_leading_out,
    refuse_linked,
    refuse_obstacles,
    refuse_taken_names,
)
from platformctl.planning.wanted import Wanted


@dataclass(frozen=True)
class Circumstances:
    """Inputs of a plan beside the release and the observation: when and where it is made, and under which trust roots.

    `hide` removes from a text what it recognises as a secret; it returns the same for the same text.
    """

    created_at: str
    expires_at: str
    repository: str
    ref: str
    tool_version: str
    trust: TrustRoots
    hide: Hide


def build(
    release: Release,
    observation: Observation,
    record: HostRecord,
    driver: Driver,
    circumstances: Circumstances,
    findings: Iterable[Finding],
    foreign: frozenset[ServiceName] = frozenset(),
    pinned: Mapping[str, PlannedImage] | None = None,
) -> Plan:
    """Return the plan of `release` for the host as it was seen.

    `foreign` are services of the project that other modules name. `pinned` are images by reference that count whatever
    the references mean now; a rollback gives them. Raises `PolicyViolation` when an image can not be resolved, and when
    a network or volume is there with another definition or is not there and not ours to make, or another container
    has the name of one that is to be made, or another service's env file is read and not there, or the host's engine
    is too old for a setting and nothing is `pinned`; also for a volume of somebody else that leads to the host's own
    files, and for a mounted path that is a link there, unless its rule is waived.
    """
    findings = tuple(findings)
    refuse_contradictions(release, observation, driver)
    if not circumstances.trust.policy.waives(release.module.id, LINKED_MOUNT, circumstances.created_at[:10]):
        refuse_linked(release, observation)
    if not any(finding.rule == SHARED_VOLUME and finding.waiver for finding in findings):
        refuse_leading_out(release, observation, driver)
    images = resolve_images(release, observation, pinned or {})
    by_ref = {image.ref: image for image in images}
    wanted = Wanted(release, observation, by_ref, record, driver, circumstances.hide, foreign)
    changes = diff(wanted)
    refuse_taken_names(release, observation, changes)
    refuse_obstacles(release, observation, driver, changes, ran_before=pinned is not None)
    return assemble(
        release,
        circumstances,
        driver,
        notes(findings),
        observed=observed_as(observation),
        speculative=release.source_dirty or observation.source is not Source.LIVE,
        files=planned_files(release),
        images=images,
        closure=release.closure,
        changes=changes,
        steps=driver.steps(release, changes, images, observation, record.current),
        rollback=_rollback(release, observation, record.current, unmanaged=wanted.unmanaged),
        untouched=(*bystanders(release, observation), *left_behind(release, observation, record, driver, foreign)),
    )


def build_offline(
    release: Release,
    status: ModuleStatus | None,
    driver: Driver,
    circumstances: Circumstances,
    findings: Iterable[Finding],
    earlier: Earlier | None = None,
    foreign: frozenset[ServiceName] = frozenset(),
) -> Plan:
    """Return a speculative plan from recorded state: whether something would change and roughly why, without steps.

    `earlier` is the release that is recorded, where it is known; `foreign` is as in `build`.
    """
    changes = expected(release, status, earlier, circumstances.hide, foreign=foreign)
    return assemble(
        release,
        circumstances,
        driver,
        notes(findings),
        observed=recorded_as(status),
        speculative=True,
        files=planned_files(release),
        closure=release.closure,
        images=status.images if status and not changes else (),
        changes=changes,
        steps=(),
        rollback=unchecked_rollback(release, status.last_apply_sha if status else None),
    )


def unchecked_rollback(release: Release, to: GitSha | None, *, unmanaged: bool = False) -> Rollback:
    """Return the rollback of a speculative plan, for which nobody checked what the host has kept.

    It is not ready where it is ruled out anyway. Else it says that it was not checked, which promises nothing: such a
    plan can not be applied.
    """
    return _ruled_out(release, unmanaged=unmanaged) or Rollback(ready=True, to=to, reason="not checked")


def planned_files(release: Release) -> tuple[PlannedFile, ...]:
    """Return the files of a release, by digest."""
    return tuple(PlannedFile(file.path, file.digest, file.mode) for file in release.files)


def recorded_as(status: ModuleStatus | None) -> PlannedObservation:
    """Return what a plan says it was made from when that is recorded state, which nobody compared with the host."""
    digest = _digest([status.desired if status else ""])
    return PlannedObservation(status.applied_at if status else "", Source.STATE, digest, "", "")


def resolve_images(
    release: Release, observation: Observation, pinned: Mapping[str, PlannedImage]
) -> tuple[PlannedImage, ...]:
    """Return every image of the closure with its id, sorted by reference.

    Raises `PolicyViolation` for images that neither the host nor a registry knows and that are not in `pinned`.
    """
    seen = {image.ref: image for image in observation.images}
    refs = sorted({image for name in release.closure if (image := release.compose.services[name].image)})
    unknown = [ref for ref in refs if seen[ref].id is None and ref not in pinned]
    if unknown:
        raise _unresolved(release, unknown)
    return tuple(pinned.get(ref) or PlannedImage(ref, seen[ref].digest, Digest(seen[ref].id or "")) for ref in refs)


def _unresolved(release: Release, refs: Sequence[str]) -> PolicyViolation:
    services = [release.compose.services[name] for name in release.closure]
    those = [service for service in services if service.image in refs]
    asked = sorted({str(service.image) for service in those if service.is_moving})
    nobody = [ref for ref in refs if ref not in asked]
    host = release.host.name
    told = [f"neither {host} nor a registry it may ask knows: {', '.join(nobody)}"] if nobody else []
    if asked:
        told.append(f"its registry, which pull_policy has asked whatever {host} has, does not tell: {', '.join(asked)}")
    return PolicyViolation(
        "an image can not be resolved",
        detail="\n".join(told),
        hint="check the name, or `docker login` as the agent user on the host"
        + ("; without that pull_policy the host's own will do" if asked else ""),
        file=release.module.runtime.compose_file,
        line=release.compose.line_of(f"services.{those[0].name}.image"),
        host=host,
    )


def planned_host(entry: HostEntry) -> PlannedHost:
    """Return the allow-list's entry as a plan records it; a plan is stale when the entry has changed since."""
    return PlannedHost(
        name=entry.name,
        transport=entry.transport,
        address=entry.address,
        port=entry.port,
        user=entry.user,
        root=entry.root,
        host_key=entry.host_key,
        machine_id=entry.machine_id,
        engine_id=entry.engine_id,
        allow_root=entry.allow_root,
    )


def assemble(
    release: Release,
    circumstances: Circumstances,
    driver: Driver,
    policy: tuple[PolicyNote, ...],
    *,
    observed: PlannedObservation,
    speculative: bool,
    files: tuple[PlannedFile, ...],
    images: tuple[PlannedImage, ...],
    closure: tuple[ServiceName, ...],
    changes: tuple[Change, ...],
    steps: tuple[Step, ...],
    rollback: Rollback,
    untouched: tuple[Bystander, ...] = (),
) -> Plan:
    """Return a plan of these parts; its other fields come from the release and the circumstances."""
    trust = circumstances.trust
    return Plan(
        module=release.module.id,
        host=planned_host(release.host),
        source_sha=release.source_sha,
        source_dirty=release.source_dirty,
        source_repo=circumstances.repository,
        source_ref=circumstances.ref,
        created_at=circumstances.created_at,
        expires_at=circumstances.expires_at,
        tool_version=circumstances.tool_version,
        drivers={driver.name: driver.version},
        observed=observed,
        speculative=speculative,
        trust=PlannedTrust(trust.commit, trust.policy_digest, trust.hosts_digest, trust.signers_digest),
        desired=release.digest,
        kind=release.module.kind.value,
        files=files,
        images=images,
        closure=closure,
        changes=changes,
        steps=steps,
        rollback=rollback,
        policy=policy,
        untouched=untouched,
    )


def notes(findings: Iterable[Finding]) -> tuple[PolicyNote, ...]:
    """Return policy's findings in the form that a plan carries."""
    return tuple(_note(finding) for finding in findings)


def _note(finding: Finding) -> PolicyNote:
    return PolicyNote(finding.rule, finding.severity, finding.message, finding.waiver)


def observed_as(observation: Observation) -> PlannedObservation:
    """Return what a plan records of the observation it was made from."""
    return PlannedObservation(
        at=observation.at,
        source=observation.source,
        digest=_digest(_material(observation)),
        compose_version=observation.identity.compose_version,
        engine_version=observation.identity.engine_version,
    )


def _material(observation: Observation) -> list[object]:
    """Return what an observation's digest covers; ids and start times of containers do not count."""
    return [
        [[c.name, c.service, c.image_id, c.config_hash, c.state, dict(c.settings)] for c in observation.containers],
        [[f.path, f.digest, f.mode] for f in observation.files],
        [[i.ref, i.id] for i in observation.images],
        [[network.name, dict(network.definition)] for network in observation.networks],
        [[volume.name, dict(volume.definition)] for volume in observation.volumes],
    ]


def _digest(value: list[object] | list[str]) -> Digest:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Digest("sha256:" + hashlib.sha256(text.encode()).hexdigest())


def _rollback(release: Release, observation: Observation, previous: Receipt | None, *, unmanaged: bool) -> Rollback:
    no_way = _ruled_out(release, unmanaged=unmanaged)
    if no_way is not None:
        return no_way
    if previous is None:
        what = "job's container" if release.module.kind is ModuleKind.JOB else "containers, networks and files it made"
        return Rollback(ready=True, to=None, reason=f"first apply: the undo removes the {what}")
    if release.module.delivery is Delivery.VERIFY and (written := _otherwise(release, previous)):
        reason = f"delivery is verify, and the way back would write {', '.join(written)}"
        return Rollback(ready=False, to=previous.source_sha, reason=reason)
    gone = missing_for_return(observation, previous)
    reason = f"gone from the host: {', '.join(gone)}" if gone else "the previous files and images are on the host"
    return Rollback(ready=not gone, to=previous.source_sha, reason=reason)


def _ruled_out(release: Release, *, unmanaged: bool) -> Rollback | None:
    """Return why there is no way back whatever the host has kept, None where nothing rules it out."""
    if release.module.rollback is Strategy.NONE:
        return Rollback(ready=False, to=None, reason="rollback.strategy is none")
    if unmanaged:
        return Rollback(ready=False, to=None, reason="containers run here that no receipt names: platformctl import")
    return None


def _otherwise(release: Release, previous: Receipt) -> tuple[str, ...]:
    """Return the paths of files that the previous release had with other contents or mode, except the tool's own."""
    now = {file.path: (file.digest, file.mode) for file in release.files}
    delivered = (file for file in previous.files if not is_own(file.path))
    return tuple(file.path for file in delivered if now.get(file.path) != (file.digest, file.mode))


def missing_for_return(observation: Observation, previous: Receipt) -> tuple[str, ...]:
    """Return paths and references of the previous release's files and images that the host no longer has."""
    in_place = {file.path: file.digest for file in observation.files}
    files = (f.path for f in previous.files if f.digest not in observation.kept and in_place.get(f.path) != f.digest)
    images = (image.ref for image in previous.images if image.id not in observation.image_ids)
    return (*files, *images)
