"""Lift a quarantine: a release that was rolled back on a host may be planned there again."""

from pathlib import Path

from platformctl.model import strict_json
from platformctl.model.codec import encode
from platformctl.model.desired import HostEntry
from platformctl.model.frozen import dataclass
from platformctl.model.names import ModuleId
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import NoteReport
from platformctl.model.state import LIFT_PAYLOAD_TYPE, Lift
from platformctl.releases import module_ids, read_manifest
from platformctl.releases.trees import CommitTree
from platformctl.store.host import HostLayout
from platformctl.store.host_records import write_record
from platformctl.trust import envelope
from platformctl.trust.keys import seal
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import APPROVAL
from platformctl.workflows.auditing import Told, tell_both
from platformctl.workflows.hosts import Hosts, holding, hosts
from platformctl.workflows.left_there import remembering
from platformctl.workflows.parts import Parts, keyring, moment, no_such_module, require_host, trust_roots
from platformctl.workflows.records import next_record, record_bytes, remember
from platformctl.workflows.remembered import current_trust


@dataclass(frozen=True)
class LiftRequest:
    """A quarantine to lift: of which module, why, and the approver's key that says so."""

    module: str
    reason: str
    key: Path


def unquarantine(parts: Parts, request: LiftRequest) -> NoteReport:
    """Let a release that was rolled back be planned again, a removal too; signed by somebody who may approve.

    What was signed is in the audit chains before anything is lifted. What is quarantined behind that stays so.
    """
    roots = trust_roots(parts)
    ring, now = keyring(parts, roots), parts.clock.now()
    with hosts(parts) as reached:
        module, entry = _kept_from(parts, roots, reached, request.module)
        transport = reached.reach(entry).transport
        found = remember(transport, HostLayout(entry.root), module, ring, now).record.quarantine
        lift = Lift(module, entry.name, request.reason, moment(now), found)
        signed = seal(strict_json.dump(encode(lift)), LIFT_PAYLOAD_TYPE, request.key, APPROVAL, parts.environment)
        signer = sole_signer(signed, LIFT_PAYLOAD_TYPE, APPROVAL, ring, now)
        with holding(parts, transport, signed.digest, f"unquarantine {module}") as session:
            memory = remember(transport, HostLayout(entry.root), module, ring, now)
            current_trust(parts, roots, memory)
            left = tuple(each for each in memory.record.quarantine if each not in lift.releases)
            content = record_bytes(next_record(memory.record, quarantine=left), memory.envelopes)
            fields = {"module": str(module), "host": str(entry.name), "by": signer.principal, "reason": lift.reason}
            told = Told(lift.at, "unquarantine", {**fields, "lift": envelope.write(signed).decode()})
            tell_both(parts, entry, memory.recalled.audit_tail, told, session.write)
            session.write(write_record(HostLayout(entry.root), module, content, replacing=memory.content))
    count = len(memory.record.quarantine) - len(left)
    return NoteReport(message=f"✓ {module} on {entry.name}: {count} quarantined release(s) may be planned again")


def _kept_from(parts: Parts, roots: TrustRoots, reached: Hosts, name: str) -> tuple[ModuleId, HostEntry]:
    """Return the module and the host that its manifest names; without a manifest, the host that quarantined it.

    Raises `InvalidInput` if nobody knows the module.
    """
    tree = CommitTree(parts.repository, parts.repository.head())
    known = module_ids(tree)
    if name in known:
        module = read_manifest(tree, ModuleId.parse(name))
        return module.id, require_host(roots, module.host, file=module.path)
    if ModuleId.pattern.match(name):
        for entry, memory in remembering(parts, roots, reached, ModuleId(name)):
            if memory.record.quarantine:
                return ModuleId(name), entry
    raise no_such_module(known, name)
