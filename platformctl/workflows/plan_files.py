"""Sign plans and the index over them, and write them where the operator and an apply find them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from platformctl.model import strict_json
from platformctl.model.names import GitSha, ModuleId
from platformctl.model.plan import INDEX_PAYLOAD_TYPE, PAYLOAD_TYPE, Plan
from platformctl.model.reports import PlannedModule
from platformctl.store.files import write_atomically
from platformctl.trust import envelope
from platformctl.trust.envelope import Envelope
from platformctl.trust.index import Index, IndexEntry, encode_index
from platformctl.trust.keys import seal_each
from platformctl.trust.plan_codec import encode_plan
from platformctl.trust.signers import PLAN
from platformctl.workflows.parts import Parts, shown


def write_plans(
    parts: Parts, plans: Sequence[Plan], key: Path | None, out: Path | None, *, head: GitSha | None
) -> tuple[tuple[PlannedModule, ...], str | None]:
    """Sign plans and write them; one without changes is written only if the operator named the file `out`.

    With `head`, the commit they are all of, there is also an index of those that change something, so that one approval
    can cover them. Returns the plans, and the path of the index or None. All are signed at once, before the first is
    written; raises as `seal_each` does.
    """
    unsigned = {plan.module: Envelope(encode_plan(plan), PAYLOAD_TYPE) for plan in plans}
    index = _index([plan for plan in plans if plan.has_changes], unsigned, head) if head else ()
    kept = (*(unsigned[plan.module] for plan in plans if plan.has_changes or out), *index)
    written = {sealed.digest: (sealed, _written(parts, sealed, out)) for sealed in _sealed(parts, kept, key)}
    files = {name: written.get(sealed.digest, (sealed, None)) for name, sealed in unsigned.items()}
    return tuple(_planned(plan, *files[plan.module]) for plan in plans), written[index[0].digest][1] if index else None


def _index(changing: Sequence[Plan], sealed: Mapping[ModuleId, Envelope], head: GitSha) -> tuple[Envelope, ...]:
    if not changing:
        return ()
    entries = tuple(
        IndexEntry(
            plan.module, plan.host.name, plan.destructive, sealed[plan.module].digest, _name(sealed[plan.module])
        )
        for plan in changing
    )
    return (Envelope(encode_index(Index(head, changing[0].created_at, entries)), INDEX_PAYLOAD_TYPE),)


def _planned(plan: Plan, sealed: Envelope, path: str | None) -> PlannedModule:
    return PlannedModule(
        module=plan.module,
        digest=sealed.digest,
        path=path,
        signed=bool(sealed.signatures),
        plan=plan,
        payload=strict_json.load(sealed.payload, "plan"),
    )


def _sealed(parts: Parts, unsigned: Sequence[Envelope], key: Path | None) -> Sequence[Envelope]:
    if key is None:
        return unsigned
    contents = [(each.payload, each.payload_type) for each in unsigned]
    return seal_each(contents, key, PLAN, parts.environment)


def _written(parts: Parts, sealed: Envelope, out: Path | None) -> str:
    path = out or parts.platform / "plans" / _name(sealed)
    write_atomically(path, envelope.write(sealed), 0o644, within=None if out else parts.platform)
    return shown(parts, path)


def _name(sealed: Envelope) -> str:
    return f"{sealed.digest.hexadecimal}.json"
