"""The host record: read from a host, believed as far as signatures hold."""

from dataclasses import dataclass, replace
from datetime import datetime

from platformctl.errors import ApprovalMismatch, InvalidInput, Locked, ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.names import Digest, HostName, ModuleId
from platformctl.model.state import RECEIPT_PAYLOAD_TYPE, HostRecord, Quarantine, Receipt, SignedReceipt, TrustSeen
from platformctl.store.host import HostLayout
from platformctl.store.host_records import Recalled, read_recall, recall
from platformctl.transports.interface import Transport
from platformctl.trust import envelope
from platformctl.trust.keys import Keyring
from platformctl.trust.signatures import sole_signer

NAMESPACE = "receipt@platformctl"
KEPT_RECEIPTS = 50
"""Receipts a host record keeps; the audit chain keeps them all."""


@dataclass(frozen=True)
class Memory:
    """What a host remembers of one module. `content` are the record's exact bytes, None where there is none yet.

    `record` has the receipts whose signature holds, back to the newest healthy one; `envelopes` are all there are.
    """

    record: HostRecord
    content: bytes | None
    recalled: Recalled
    envelopes: tuple[str, ...] = ()
    distrusted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Stored:
    """The JSON form of a host record: receipts as the envelopes they came in."""

    format: str
    module: ModuleId
    serial: int
    receipts: tuple[str, ...]
    consumed: tuple[Digest, ...]
    quarantine: tuple[Quarantine, ...]
    trust: TrustSeen | None


def remember(
    transport: Transport, layout: HostLayout, module: ModuleId, keyring: Keyring, now: datetime, *, whole: bool = False
) -> Memory:
    """Ask a host what it remembers. An unreadable record is refused (`ToolError`), never taken for an empty one.

    With `whole` every receipt is verified, which costs a process each.
    """
    recalled = read_recall(transport.run(recall(layout, module)), transport.entry.name)
    if recalled.record is None:
        return Memory(HostRecord(module, 0), None, recalled)
    stored = _stored(recalled.record, module, transport.entry.name)
    receipts, distrusted = _receipts(stored.receipts, keyring, now, whole=whole)
    record = HostRecord(module, stored.serial, receipts, stored.consumed, stored.quarantine, stored.trust)
    return Memory(record, recalled.record, recalled, stored.receipts, distrusted)


def record_bytes(record: HostRecord, envelopes: tuple[str, ...]) -> bytes:
    """A host record as it is stored, with the envelopes of its receipts, oldest first."""
    stored = _Stored(
        format="platformctl/host-record.1",
        module=record.module,
        serial=record.serial,
        receipts=envelopes[-KEPT_RECEIPTS:],
        consumed=record.consumed,
        quarantine=record.quarantine,
        trust=record.trust,
    )
    return strict_json.dump(encode(stored)) + b"\n"


def next_record(record: HostRecord, **changes: object) -> HostRecord:
    """The record that follows: one serial on."""
    return replace(record, serial=record.serial + 1, **changes)  # type: ignore[arg-type]


def receipt_payload(receipt: Receipt) -> bytes:
    """The bytes of a receipt that are signed."""
    return strict_json.dump(encode(receipt))


def refuse_unsettled(memory: Memory, host: HostName) -> None:
    """Raise `Locked` (`unsettled`) when an earlier apply's end was never seen."""
    if memory.recalled.journals:
        digests = ", ".join(digest[:19] for digest in memory.recalled.journals)
        raise Locked(
            "an earlier apply was never settled",
            detail=f"{host}: plan {digests} has an intent and no end",
            hint="platformctl recover",
            reason="unsettled",
            host=host,
        )


def _stored(content: bytes, module: ModuleId, host: HostName) -> _Stored:
    what = f"{host}: .platformctl/modules/{module}.json"
    stored = decode(_Stored, strict_json.load(content, what, refusal=ToolError), what, refusal=ToolError)
    if stored.format != "platformctl/host-record.1" or stored.module != module:
        raise ToolError("a host record can not be read", detail=f"{what}: of another version or module", host=host)
    return stored


def _receipts(
    texts: tuple[str, ...], keyring: Keyring, now: datetime, *, whole: bool
) -> tuple[tuple[SignedReceipt, ...], tuple[str, ...]]:
    """Receipts whose signature holds, oldest first."""
    believed: list[SignedReceipt] = []
    distrusted: list[str] = []
    for position, text in reversed(tuple(enumerate(texts))):
        try:
            believed.append(_believed(text, keyring, now))
        except (ApprovalMismatch, InvalidInput) as error:
            distrusted.append(f"receipt {position}: {error.summary} ({error.reason or 'form'})")
        if not whole and believed and believed[-1].receipt.healthy:
            break
    return tuple(reversed(believed)), tuple(distrusted)


def _believed(text: str, keyring: Keyring, now: datetime) -> SignedReceipt:
    sealed = envelope.read(text.encode())
    sole_signer(sealed, RECEIPT_PAYLOAD_TYPE, NAMESPACE, keyring, now)
    return SignedReceipt(decode(Receipt, strict_json.load(sealed.payload, "receipt"), "receipt"), text)
