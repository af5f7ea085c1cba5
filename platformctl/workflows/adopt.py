"""Adopt what already runs: a signed receipt, and only when hashes, images and files are those of the commit."""

from dataclasses import dataclass
from pathlib import Path

from platformctl.errors import StalePlan
from platformctl.model.names import Digest
from platformctl.model.plan import Action, PlannedFile
from platformctl.model.reports import NoteReport
from platformctl.model.state import RECEIPT_PAYLOAD_TYPE, Receipt, RunningContainer
from platformctl.planning.build import resolve_images
from platformctl.planning.diff import Wanted, diff
from platformctl.planning.settled import computed
from platformctl.releases import CommitTree, module_ids
from platformctl.store.host import HostLayout
from platformctl.store.host_records import write_record
from platformctl.trust import envelope
from platformctl.trust.keys import seal
from platformctl.workflows.desire import agreed, release_at, require_merged
from platformctl.workflows.hosts import holding, hosts
from platformctl.workflows.looking import look
from platformctl.workflows.parts import Parts, keyring, moment, require_module, trust_roots
from platformctl.workflows.records import (
    NAMESPACE,
    next_record,
    receipt_payload,
    record_bytes,
    refuse_unsettled,
    require_receipt_key,
)
from platformctl.workflows.remembered import current_trust


@dataclass(frozen=True)
class ImportRequest:
    """The module to adopt and the person's key for the receipt."""

    module: str
    key: Path


def import_module(parts: Parts, request: ImportRequest) -> NoteReport:
    """Write the receipt of what runs; raises `StalePlan` (`changed`) when it is not what the commit says."""
    roots = trust_roots(parts)
    head = parts.repository.head()
    name = require_module(module_ids(CommitTree(parts.repository, head)), request.module)
    release = release_at(parts, roots, head, name)
    agreed(release, roots.policy, moment(parts.clock.now())[:10])
    require_merged(parts, head, roots)
    require_receipt_key(request.key, keyring(parts, roots), parts.clock.now(), parts.environment)
    driver = parts.driver_of(release.module)
    now = moment(parts.clock.now())
    with hosts(parts) as reached:
        transport = reached.reach(release.host, driver).transport
        payload = f"import {name} {release.digest}".encode()
        with holding(parts, transport, Digest.of(payload), f"import {name}") as session:
            observation, memory = look(parts, reached, release, roots)
            refuse_unsettled(memory, release.host.name)
            seen = current_trust(parts, roots, memory)
            images = resolve_images(release, observation, {})
            by_ref = {image.ref: image for image in images}
            changes = diff(Wanted(release, observation, by_ref, memory.record, driver, parts.hide))
            differing = [f"{c.service}: {c.reason}" for c in changes if c.action is not Action.KEEP]
            differing += [
                f"{c.service}: is {c.health or c.state}"
                for c in observation.containers
                if c.service in release.closure and (c.health not in (None, "healthy") or c.state == "restarting")
            ]
            there = {file.path: file.digest for file in observation.files}
            differing += [
                f"{f.path}: differs on the host" for f in release.files if there.get(f.path, f.digest) != f.digest
            ]
            if differing:
                raise StalePlan(
                    "what runs is not what the commit says",
                    detail="\n".join(differing),
                    hint="commit what runs, or plan and approve the difference",
                    reason="changed",
                    host=release.host.name,
                )
            mine = tuple(c for c in observation.containers if c.service in release.closure and not c.oneoff)
            session.stage(f.content for f in release.files)
            receipt = Receipt(
                module=name,
                host=release.host.name,
                outcome="IMPORTED",
                plan_digest=Digest.of(payload),
                source_sha=head,
                desired=release.digest,
                applied_at=now,
                applied_by=parts.operator,
                pull_request=None,
                files=tuple(PlannedFile(f.path, f.digest, f.mode) for f in release.files),
                images=images,
                up=driver.bring_up(release),
                closure=tuple(release.closure),
                containers=tuple(RunningContainer(c.service, c.id, c.image_id) for c in mine),
                computed=computed(release, observation, mine, driver),
            )
            sealed = seal(receipt_payload(receipt), RECEIPT_PAYLOAD_TYPE, request.key, NAMESPACE, parts.environment)
            envelopes = (*memory.envelopes, envelope.write(sealed).decode())
            content = record_bytes(next_record(memory.record, trust=seen), envelopes)
            session.write(write_record(HostLayout(release.host.root), name, content, replacing=memory.content))
    parts.audit.append(now, "import", {"module": str(name), "host": str(release.host.name), "source_sha": str(head)})
    return NoteReport(message=f"✓ {name} on {release.host.name} is adopted as {head[:12]}")
