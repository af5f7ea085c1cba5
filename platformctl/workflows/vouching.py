"""Whether signatures vouch for the records of an audit chain, and whether it has a record of each receipt there is.

A chain that was written anew from some record on is sound in itself; a receipt or a lift is one person's signed word.
What has none, as a lock or an unlock, nobody vouches for but the other end.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from platformctl.errors import ApprovalMismatch, InvalidInput
from platformctl.model import strict_json
from platformctl.model.codec import decode
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import HostName, ModuleId
from platformctl.model.state import LIFT_PAYLOAD_TYPE, RECEIPT_PAYLOAD_TYPE, Lift, ModuleStatus, Receipt
from platformctl.store.chain import Entry
from platformctl.trust import envelope
from platformctl.trust.keys import Keyring
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import APPROVAL, RECEIPT
from platformctl.workflows.records import KEPT_RECEIPTS, read_receipt

_SAME: Mapping[str, Mapping[str, str]] = {
    "apply": {"module": "module", "host": "host", "plan": "plan_digest", "outcome": "outcome"},
    "recover": {"module": "module", "host": "host", "plan": "plan_digest"},
    "import": {"module": "module", "host": "host", "source_sha": "source_sha"},
    "unquarantine": {"module": "module", "host": "host", "reason": "reason"},
}
"""By event: what of a record stands in its receipt or lift too, and how it is called there."""
_ALWAYS_SIGNED = ("apply", "unquarantine")


@dataclass(frozen=True)
class Vouched:
    """The records of one chain, and the keyring of those whose signatures count."""

    where: str
    entries: Sequence[Entry]
    keyring: Keyring

    def problems(self) -> Iterator[str]:
        """Yield what is not as the receipts say, record by record."""
        first: dict[str, int] = {}
        for entry in self.entries:
            kind, is_always = _kind_of(entry), entry.event in _ALWAYS_SIGNED
            text = entry.fields.get(kind)
            if entry.event not in _SAME or (text is None and not is_always):
                continue
            why = self._against(entry, kind, text)
            if why is None and is_always and first.setdefault(str(text), entry.seq) != entry.seq:
                why = f"was added: its {kind} is that of record {first[str(text)]}"
            if why is not None:
                yield f"{self.where}: record {entry.seq} ({said(entry)}) {why}"

    def _against(self, entry: Entry, kind: str, text: Any) -> str | None:
        if not text:
            return f"may have been added: no signed {kind} vouches for it"
        try:
            told = self._lifted(entry, text) if kind == "lift" else believed(text, self.keyring, entry.at)
        except (ApprovalMismatch, InvalidInput) as error:
            return f"may have been added: its {kind} is not believed ({error.reason or 'form'})"
        same = _SAME[entry.event].items()
        other = [here for here, there in same if entry.fields.get(here) != str(getattr(told, there))]
        return f"was changed: {', '.join(other)} is not what its {kind} says" if other else None

    def _lifted(self, entry: Entry, text: Any) -> Lift:
        """Return the lift of a record; raise `ApprovalMismatch` unless time and signer are those of the record."""
        sealed = envelope.read(str(text).encode())
        at = Moment.parse(entry.at).at
        signer = sole_signer(sealed, LIFT_PAYLOAD_TYPE, APPROVAL, self.keyring, at, in_process=True)
        lift = decode(Lift, strict_json.load(sealed.payload, "lift"), "lift")
        if signer.principal != entry.fields.get("by"):
            raise ApprovalMismatch("a lift is of somebody else", reason="signer")
        if lift.at != entry.at:
            raise ApprovalMismatch("a lift is of another time", reason="digest")
        return lift

    def of_another_host(self, host: HostName) -> Iterator[str]:
        """Yield records in a host's chain that are about another host."""
        for entry in self.entries:
            if entry.fields.get("host") != host:
                yield f"{self.where}: record {entry.seq} ({said(entry)}) was added: it is of another host"

    def missing(self, receipts: Iterable[str], host: HostName) -> Iterator[str]:
        """Yield receipts that the host keeps beside its chain and that no record has."""
        there = {entry.fields.get("receipt") for entry in self.entries}
        for text in (each for each in receipts if each not in there):
            try:
                receipt = read_receipt(envelope.read(text.encode()))
                believed(text, self.keyring, receipt.applied_at)
            except (ApprovalMismatch, InvalidInput):
                continue
            if receipt.host == host:
                yield f"{self.where}: a record was removed: that of {receipt.plan_digest} ({receipt.outcome})"

    def dropped(self, kept: Mapping[ModuleId, Sequence[str]], unsettled: Container[str]) -> Iterator[str]:
        """Yield receipts in these records that the host record lacks, and modules whose receipts are in another order.

        An older host record was put back then, or its receipts were rearranged. The receipt of an apply that `recover`
        settled, or that is `unsettled`, is not expected: it may never have been written there.
        """
        recovered = {entry.fields.get("plan") for entry in self.entries if entry.event == "recover"}
        told_of: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.event in _SAME and entry.fields.get("receipt"):
                told_of.setdefault(str(entry.fields.get("module")), []).append(entry)
        for module, told in told_of.items():
            texts = kept.get(ModuleId(module), ())
            newest = told[-KEPT_RECEIPTS:] if len(texts) >= KEPT_RECEIPTS else told
            for entry in (each for each in newest if each.fields["receipt"] not in texts):
                plan = entry.fields.get("plan")
                if plan not in unsettled and not (entry.event == "apply" and plan in recovered):
                    yield f"{self.where}: the receipt of record {entry.seq} ({said(entry)}) was removed beside it"
            places = {entry.fields["receipt"]: number for number, entry in enumerate(told)}
            order = [places[text] for text in texts if text in places]
            if order != sorted(set(order)):
                yield f"{self.where}: receipts of {module} were changed: not one for each record, or in another order"

    def forgotten(self, states: Iterable[ModuleStatus]) -> Iterator[str]:
        """Yield applies that this clone's state is of and that no record here tells of."""
        plans = {entry.fields.get("plan") for entry in self.entries}
        for status in states:
            if status.plan_digest not in plans:
                yield f"{self.where}: a record was removed: that of {status.plan_digest}, which the state is of"


def _kind_of(entry: Entry) -> str:
    """Return the name of the field that has what vouches for a record."""
    return "lift" if entry.event == "unquarantine" else "receipt"


def believed(text: object, keyring: Keyring, at: str) -> Receipt:
    """Return the receipt in an envelope, if whoever signed it might do so at that time.

    Raises `ApprovalMismatch` or `InvalidInput` if not.
    """
    sealed = envelope.read(str(text).encode())
    sole_signer(sealed, RECEIPT_PAYLOAD_TYPE, RECEIPT, keyring, Moment.parse(at).at, in_process=True)
    return read_receipt(sealed)


def said(entry: Entry) -> str:
    """Return what a record is about, in a word or two."""
    about = entry.fields.get("plan") or entry.fields.get("module")
    return f"{entry.event} of {about}" if about else entry.event
