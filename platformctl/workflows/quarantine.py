"""Lift a quarantine: a release that was rolled back on a host may be planned there again."""

from dataclasses import replace
from pathlib import Path

from platformctl.model.desired import HostEntry, TrustRoots
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, ModuleId
from platformctl.model.reports import NoteReport
from platformctl.releases import CommitTree, module_ids, read_manifest
from platformctl.store.host import HostLayout
from platformctl.store.host_records import write_record
from platformctl.trust.keys import seal
from platformctl.trust.signatures import sole_signer
from platformctl.workflows.auditing import Told, tell_both
from platformctl.workflows.hosts import Hosts, holding, hosts
from platformctl.workflows.left_there import DRIVER, remembering
from platformctl.workflows.parts import Parts, keyring, moment, no_such_module, require_host, trust_roots
from platformctl.workflows.records import next_record, record_bytes, remember
from platformctl.workflows.remembered import current_trust


@dataclass(frozen=True)
class Lift:
    """A quarantine to lift: of which module, why, and the approver's key that says so."""

    module: str
    reason: str
    key: Path


def unquarantine(parts: Parts, lift: Lift) -> NoteReport:
    """Let a release that was rolled back be planned again, a removal too; signed by somebody who may approve."""
    roots = trust_roots(parts)
    ring, now = keyring(parts, roots), parts.clock.now()
    with hosts(parts) as reached:
        module, entry = _kept_from(parts, roots, reached, lift.module)
        payload = f"unquarantine {module} on {entry.name}: {lift.reason}".encode()
        signed = seal(payload, "text/plain", lift.key, "approval@platformctl", parts.environment)
        signer = sole_signer(signed, "text/plain", "approval@platformctl", ring, now)
        transport = reached.reach(entry, parts.driver_for(DRIVER)).transport
        with holding(parts, transport, Digest.of(payload), f"unquarantine {module}") as session:
            memory = remember(transport, HostLayout(entry.root), module, ring, now)
            current_trust(parts, roots, memory)
            count = len(memory.record.quarantine)
            content = record_bytes(replace(next_record(memory.record), quarantine=()), memory.envelopes)
            session.write(write_record(HostLayout(entry.root), module, content, replacing=memory.content))
            fields = {"module": str(module), "host": str(entry.name), "by": signer.principal, "reason": lift.reason}
            told = Told(moment(now), "unquarantine", fields)
            tell_both(parts, entry, memory.recalled.audit_tail, told, session.write)
    return NoteReport(message=f"✓ {module} on {entry.name}: {count} quarantined release(s) may be planned again")


def _kept_from(parts: Parts, roots: TrustRoots, reached: Hosts, name: str) -> tuple[ModuleId, HostEntry]:
    """The module and the host that its manifest names, or of one without a manifest the host that quarantined it.

    Raises `InvalidInput` where nobody knows the module.
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
