"""The host record: read from a host, and believed as far as its signatures hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

from platformctl.errors import ApprovalMismatch, InvalidInput, Locked, Refusal, ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.command import Completed
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, HostName, ModuleId
from platformctl.model.state import (
    RECEIPT_PAYLOAD_TYPE,
    Computed,
    HostRecord,
    Quarantine,
    Receipt,
    SignedReceipt,
    TrustSeen,
)
from platformctl.store.host import HostLayout
from platformctl.store.host_records import Recalled, read_recall, recall
from platformctl.transports.interface import Transport
from platformctl.trust import envelope
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import Keyring, seal
from platformctl.trust.signatures import sole_signer
from platformctl.trust.signers import RECEIPT

KEPT_RECEIPTS = 40
"""How many of the newest receipts a host record keeps, whatever they say; the audit chain keeps them all."""
KEPT_RELEASES = 10
"""How many older receipts of releases proven to work are kept too: failures must not push out the way back."""
KEPT_CONSUMED = 200
"""How many digests of used plans a host record keeps.

Older ones still show among the host's settled journals.
"""


_COMPUTED = {each.name for each in fields(Computed)}
_TRUST = re.compile(rb'"trust":(null|\{[^{}]*\})\}\n')
"""The last field of a record. The same text inside a receipt is escaped, and does not match."""


@dataclass(frozen=True)
class Memory:
    """What a host remembers of one module. `content` is the record's exact bytes, None if there is none yet.

    `record` has the receipts whose signature holds, back to the newest healthy one; `envelopes` are all there are, and
    `distrusted` says which do not hold.
    """

    record: HostRecord
    content: bytes | None
    recalled: Recalled
    envelopes: tuple[str, ...] = ()
    distrusted: tuple[str, ...] = ()

    @property
    def trusts(self) -> tuple[TrustSeen, ...]:
        """The trust roots that the host saw, with this or another module; raises `ToolError` if a record lacks them."""
        found = _TRUST.findall(self.recalled.ends)
        if len(found) != len(self.recalled.modules):
            raise ToolError("a host record can not be read", detail="one does not end with the trust roots it saw")
        what = "host record: trust"
        seen = (strict_json.load(text, what, refusal=ToolError) for text in found if text != b"null")
        return tuple(dict.fromkeys(decode(TrustSeen, each, what, refusal=ToolError) for each in seen))


@dataclass(frozen=True)
class _Stored:
    """The JSON form of a host record, with receipts as the envelopes they came in."""

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
    """Ask a host what it remembers of a module.

    Raises `ToolError` for an unreadable record: it is never taken for an empty one. With `whole` every receipt is
    verified, which costs a process each.
    """
    recalled = read_recall(transport.run(recall(layout, module)), transport.entry.name)
    return _memory(recalled, _Reader(module, transport.entry.name, keyring, now, whole))


def remember_each(
    transport: Transport, layout: HostLayout, modules: Sequence[ModuleId], keyring: Keyring, now: datetime
) -> tuple[Memory | Refusal, ...]:
    """Return what a host remembers of each of `modules`; a record that is refused hides no other.

    All are asked for in one exchange, or in halves if the answer does not fit into one.
    """
    answer = transport.run(recall(layout, *modules))
    half = len(modules) // 2
    if answer.truncated and half:
        return tuple(
            each
            for part in (modules[:half], modules[half:])
            for each in remember_each(transport, layout, part, keyring, now)
        )
    return memories_of(answer, transport.entry.name, modules, keyring, now)


def memories_of(
    answer: Completed, host: HostName, modules: Sequence[ModuleId], keyring: Keyring, now: datetime
) -> tuple[Memory | Refusal, ...]:
    """Read what a host remembers of each of `modules` from its answer to `recall`; raises as `read_recall` does."""
    recalled = read_recall(answer, host)
    return tuple(_or_refusal(recalled, _Reader(module, host, keyring, now)) for module in modules)


def _or_refusal(recalled: Recalled, reader: "_Reader") -> Memory | Refusal:
    try:
        return _memory(recalled, reader)
    except Refusal as refusal:
        return refusal


def _memory(recalled: Recalled, reader: "_Reader") -> Memory:
    """Return what was recalled of one module, as far as signatures hold."""
    module, content = reader.module, recalled.records.get(reader.module)
    if content is None:
        return Memory(HostRecord(module, 0), None, recalled)
    stored = _stored(content, module, reader.host)
    receipts, distrusted = _receipts(stored.receipts, reader)
    record = HostRecord(module, stored.serial, receipts, stored.consumed, stored.quarantine, stored.trust)
    return Memory(record, content, recalled, stored.receipts, distrusted)


def memory_from(content: bytes | None, module: ModuleId, host: HostName, keyring: Keyring, now: datetime) -> Memory:
    """Return what a host remembered when its record was `content`, None if it had no record."""
    recalled = Recalled({module: content} if content is not None else {})
    return _memory(recalled, _Reader(module, host, keyring, now))


def record_bytes(record: HostRecord, envelopes: tuple[str, ...]) -> bytes:
    """Return a host record as it is stored, with the envelopes of its receipts, oldest first."""
    stored = _Stored(
        format="platformctl/host-record.1",
        module=record.module,
        serial=record.serial,
        receipts=_kept(envelopes),
        consumed=record.consumed[-KEPT_CONSUMED:],
        quarantine=record.quarantine,
        trust=record.trust,
    )
    return strict_json.dump(encode(stored)) + b"\n"


def _kept(envelopes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the envelopes that a record keeps.

    They are read without verifying them: this is about room, not about trust.
    """
    older, newest = envelopes[:-KEPT_RECEIPTS], envelopes[-KEPT_RECEIPTS:]
    return (*(text for text in older if _says_healthy(text)), *newest)[-(KEPT_RECEIPTS + KEPT_RELEASES) :]


def _says_healthy(text: str) -> bool:
    try:
        return read_receipt(envelope.read(text.encode())).healthy
    except InvalidInput:
        return False


def next_record(record: HostRecord, **changes: object) -> HostRecord:
    """Return the record that follows, with `changes` and a serial one higher."""
    return replace(record, serial=record.serial + 1, **changes)  # type: ignore[arg-type]


def receipt_payload(receipt: Receipt) -> bytes:
    """Return the bytes of a receipt that are signed."""
    return strict_json.dump(encode(receipt))


def refuse_unsettled(memory: Memory, host: HostName) -> None:
    """Raise `Locked` (`unsettled`) when the end of an earlier apply on the host was never seen."""
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


@dataclass(frozen=True)
class _Reader:
    """Reads receipts of one module on one host: that of another proves nothing here, however well signed.

    With `whole` all receipts are read, as a release to go back to is chosen from them, and ssh-keygen verifies them.
    """

    module: ModuleId
    host: HostName
    keyring: Keyring
    now: datetime
    whole: bool = False

    def believed(self, text: str) -> SignedReceipt:
        """Return the receipt in an envelope.

        Raises `ApprovalMismatch` or `InvalidInput` unless its signature holds and it is of this module and host.
        """
        sealed = envelope.read(text.encode())
        sole_signer(sealed, RECEIPT_PAYLOAD_TYPE, RECEIPT, self.keyring, self.now, in_process=not self.whole)
        receipt = read_receipt(sealed)
        if (receipt.module, receipt.host) != (self.module, self.host):
            raise ApprovalMismatch("a receipt is of another module or host", reason="digest")
        return SignedReceipt(receipt, text)


def _receipts(texts: tuple[str, ...], reader: _Reader) -> tuple[tuple[SignedReceipt, ...], tuple[str, ...]]:
    """Return the receipts that are believed, oldest first, and a message for each that is not.

    Unless all are wanted, none older than the newest healthy one is read.
    """
    believed: list[SignedReceipt] = []
    distrusted: list[str] = []
    for position, text in reversed(tuple(enumerate(texts))):
        try:
            believed.append(reader.believed(text))
        except (ApprovalMismatch, InvalidInput) as error:
            distrusted.append(f"receipt {position}: {error.summary} ({error.reason or 'form'})")
        if not reader.whole and believed and believed[-1].receipt.healthy:
            break
    return tuple(reversed(believed)), tuple(distrusted)


def read_receipt(sealed: Envelope) -> Receipt:
    """Return what a receipt says, without asking who signed it; raises `InvalidInput`.

    A receipt that is older than the youngest fields is read too.
    """
    told = strict_json.load(sealed.payload, "receipt")
    if isinstance(told, dict):
        made = told.get("computed")
        older = not isinstance(made, dict) or made.keys() < _COMPUTED
        told = {"failed": [], "host_files": {}, **told, "computed": None if older else made}
    return decode(Receipt, told, "receipt")


def require_receipt_key(key: Path, keyring: Keyring, now: datetime, environment: Mapping[str, str]) -> None:
    """Refuse now what would be found out after the apply: a key that can not or may not sign receipts.

    Raises what `seal` raises, and `ApprovalMismatch` (`signer`) for a key that may not sign receipts.
    """
    probe = seal(b"may this key sign receipts?", "text/plain", key, RECEIPT, environment)
    sole_signer(probe, "text/plain", RECEIPT, keyring, now, in_process=True)  # it lets nothing run
