"""Adopt a module that already runs on its host, by writing a signed receipt for it.

A receipt is written only if definitions, images and files on the host are those of the commit.
"""

from dataclasses import replace
from pathlib import Path

from platformctl.errors import StalePlan
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest
from platformctl.model.observed import Container, Observation
from platformctl.model.plan import Action, PlannedFile
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import NoteReport
from platformctl.model.state import RECEIPT_PAYLOAD_TYPE, Receipt, RunningContainer
from platformctl.planning.build import resolve_images
from platformctl.planning.diff import diff
from platformctl.planning.settled import computed
from platformctl.planning.wanted import Wanted
from platformctl.releases import module_ids
from platformctl.releases.trees import CommitTree
from platformctl.session import HostSession
from platformctl.store.host import HostLayout
from platformctl.store.host_records import write_record
from platformctl.trust import envelope
from platformctl.trust.keys import seal
from platformctl.trust.signers import RECEIPT
from platformctl.workflows.auditing import Told, has_record_of, tell_both
from platformctl.workflows.desire import agreed, release_at, require_merged
from platformctl.workflows.hosts import holding, hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, keyring, moment, require_module, trust_roots
from platformctl.workflows.records import (
    Memory,
    next_record,
    receipt_payload,
    record_bytes,
    refuse_unsettled,
    require_receipt_key,
)
from platformctl.workflows.remembered import current_trust


@dataclass(frozen=True)
class ImportRequest:
    """Which module to adopt, and the person's key that signs the receipt."""

    module: str
    key: Path


@dataclass(frozen=True)
class Adoption:
    """What a receipt is written for: a release, what was observed of it, and the outcome to record.

    `subject` is the digest that the receipt names as its plan. For an import it is made of the module and its release.
    """

    release: Release
    observation: Observation
    memory: Memory
    subject: Digest
    outcome: str
    key: Path


def import_module(parts: Parts, request: ImportRequest) -> NoteReport:
    """Write a receipt for a module that runs as HEAD says; raise `StalePlan` (`changed`) if it does not."""
    roots = trust_roots(parts)
    head = parts.repository.head()
    name = require_module(module_ids(CommitTree(parts.repository, head)), request.module)
    release = release_at(parts, roots, head, name)
    require_agreed(parts, roots, release, request.key)
    now = moment(parts.clock.now())
    with hosts(parts) as reached:
        transport = reached.reach(release.host, parts.driver_of(release.module)).transport
        subject = Digest.of(f"import {name} {release.digest}".encode())
        with holding(parts, transport, subject, f"import {name}") as session:
            observation, memory = look(parts, reached, release, roots)
            refuse_unsettled(memory, release.host.name)
            adoption = Adoption(release, observation, memory, subject, "IMPORTED", request.key)
            receipt = _untold(session, adoption) or write_receipt(parts, roots, session, adoption)
            fields = {"module": str(name), "host": str(release.host.name), "source_sha": str(head), "receipt": receipt}
            told = Told(now, "import", fields)
            tell_both(parts, release.host, memory.recalled.audit_tail, told, session.write)
    return NoteReport(message=f"✓ {name} on {release.host.name} is adopted as {head[:12]}")


def _untold(session: HostSession, adoption: Adoption) -> str | None:
    """Return the receipt that the same import left as the module's last if no record has it; that is to be told now."""
    host, receipts = adoption.release.host, adoption.memory.record.receipts
    if not receipts or receipts[-1].receipt.plan_digest != adoption.subject:
        return None
    text = receipts[-1].envelope
    return None if has_record_of(host, session.ask, text) else text


def require_agreed(parts: Parts, roots: TrustRoots, release: Release, key: Path) -> None:
    """Refuse to sign for a release that policy denies or whose commit is not merged.

    Raises `PolicyViolation` or `ApprovalMismatch`, and what `require_receipt_key` raises for a key that may not sign.
    """
    agreed(release, roots.policy, moment(parts.clock.now())[:10])
    require_merged(parts, release.source_sha, roots)
    require_receipt_key(key, keyring(parts, roots), parts.clock.now(), parts.environment)


def write_receipt(parts: Parts, roots: TrustRoots, session: HostSession, adoption: Adoption) -> str:
    """Write a signed receipt into the host record, and return its envelope.

    Raises `StalePlan` (`changed`) when what runs is not what the release says. For a removal nothing is compared here:
    the caller has seen that nothing is left.
    """
    release, memory = adoption.release, adoption.memory
    seen = current_trust(parts, roots, memory)
    if not release.gone:
        _require_as_committed(parts, release, adoption.observation, memory)
        session.stage(file.content for file in release.files)
    payload = receipt_payload(_receipt(parts, adoption))
    sealed = envelope.write(seal(payload, RECEIPT_PAYLOAD_TYPE, adoption.key, RECEIPT, parts.environment)).decode()
    record = next_record(memory.record, trust=seen, consumed=(*memory.record.consumed, adoption.subject))
    content = record_bytes(record, (*memory.envelopes, sealed))
    layout = HostLayout(release.host.root)
    session.write(write_record(layout, release.module.id, content, replacing=memory.content))
    return sealed


def _require_as_committed(parts: Parts, release: Release, observation: Observation, memory: Memory) -> None:
    """Raise `StalePlan` unless definitions, images, files and health are all as the commit says.

    All of it is compared, as nobody watched these containers being made.
    """
    by_ref = {image.ref: image for image in resolve_images(release, observation, {})}
    wanted = Wanted(release, observation, by_ref, memory.record, parts.driver_of(release.module), parts.hide)
    there = {file.path: file.digest for file in observation.files}
    differing = [
        *(f"{c.service}: {c.reason}" for c in diff(wanted) if c.action is not Action.KEEP),
        *(f"{c.service}: is {c.health or c.state}" for c in _mine(release, observation) if not _is_well(c)),
        *(f"{f.path}: differs on the host" for f in release.files if there.get(f.path, f.digest) != f.digest),
    ]
    if differing:
        raise StalePlan(
            "what runs is not what the commit says",
            detail="\n".join(differing),
            hint="commit what runs, or plan and approve the difference",
            reason="changed",
            host=release.host.name,
        )


def _mine(release: Release, observation: Observation) -> tuple[Container, ...]:
    return tuple(c for c in observation.containers if c.service in release.closure and not c.oneoff)


def _is_well(container: Container) -> bool:
    return container.health in (None, "healthy") and container.state != "restarting"


def _receipt(parts: Parts, adoption: Adoption) -> Receipt:
    release, observation = adoption.release, adoption.observation
    nothing = Receipt(
        module=release.module.id,
        host=release.host.name,
        outcome=adoption.outcome,
        plan_digest=adoption.subject,
        source_sha=release.source_sha,
        desired=release.digest,
        applied_at=moment(parts.clock.now()),
        applied_by=parts.operator,
        pull_request=None,
        files=(),
        images=(),
        up=(),
        closure=(),
        containers=(),
    )
    if release.gone:
        return nothing
    driver, mine = parts.driver_of(release.module), _mine(release, observation)
    return replace(
        nothing,
        files=tuple(PlannedFile(f.path, f.digest, f.mode) for f in release.files),
        images=resolve_images(release, observation, {}),
        up=driver.bring_up(release),
        closure=tuple(release.closure),
        containers=tuple(RunningContainer(c.service, c.id, c.image_id) for c in mine),
        computed=computed(release, observation, mine, driver),
        host_files=observation.host_files,
    )
