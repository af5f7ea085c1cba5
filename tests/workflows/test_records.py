"""What a host remembers is believed as far as signatures hold, and for this host and module alone (P6)."""

import gzip
import io
import json
import os
import tarfile
from base64 import b64encode
from dataclasses import dataclass, replace
from pathlib import Path
from random import randbytes

import pytest

from platformctl.errors import ApprovalMismatch, ToolError
from platformctl.model import strict_json
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry
from platformctl.model.names import Digest, GitSha, HostName, ModuleId
from platformctl.model.state import RECEIPT_PAYLOAD_TYPE, Computed, HostRecord, Receipt, TrustSeen
from platformctl.store.host import HostLayout
from platformctl.store.host_records import Recalled, write_record
from platformctl.transports.local import LocalTransport
from platformctl.trust import envelope
from platformctl.trust.signers import RECEIPT
from platformctl.workflows.records import (
    KEPT_CONSUMED,
    KEPT_RECEIPTS,
    Memory,
    receipt_payload,
    record_bytes,
    remember,
    remember_each,
    require_receipt_key,
)
from tests.asked import Asked
from tests.store.hosts import ask, prepared
from tests.trust.workshop import ENVIRONMENT, HOST, NOW, SHA, Workshop, some_digest, workshop

__all__ = ["workshop"]
WEB = ModuleId("web")
ANN = Receipt(
    module=WEB,
    host=HOST,
    outcome="APPLIED",
    plan_digest=some_digest("plan"),
    source_sha=SHA,
    desired=some_digest("desired"),
    applied_at="2026-01-01T00:00:00Z",
    applied_by="ann",
    pull_request=None,
    files=(),
    images=(),
    up=(),
    closure=("web",),
    containers=(),
)


ENTRY = HostEntry(HOST, "ssh", "/opt/platform")


@dataclass
class Remembering(Asked):
    """A transport to a host that remembers one record and answers nothing else."""

    content: bytes
    entry: HostEntry = ENTRY
    exchanges: int = 0

    def run(self, _command: Command) -> Completed:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo("modules/web.json")
            member.size = len(self.content)
            archive.addfile(member, io.BytesIO(self.content))
        files, end = b64encode(gzip.compress(packed.getvalue())), b64encode(self.content)
        return Completed(
            0, b"names modules/web.json\ntar %b\nmodules modules/web.json\nends %b\nrecalled\n" % (files, end), b""
        )


def sealed(workshop: Workshop, receipt: Receipt, by: str = "ann", namespace: str = RECEIPT) -> str:
    return envelope.write(workshop.seal(receipt_payload(receipt), RECEIPT_PAYLOAD_TYPE, by, namespace)).decode()


def test_a_receipt_of_before_there_were_its_youngest_fields_is_read(workshop: Workshop) -> None:
    younger = ("computed", "failed", "host_files")
    older = {name: value for name, value in json.loads(receipt_payload(ANN)).items() if name not in younger}
    payload = strict_json.dump(older)
    signed = envelope.write(workshop.seal(payload, RECEIPT_PAYLOAD_TYPE, "ann", RECEIPT)).decode()

    assert remembered(workshop, signed).record.current == ANN


def test_what_was_computed_without_naming_its_program_is_computed_again(workshop: Workshop) -> None:
    told = json.loads(receipt_payload(replace(ANN, computed=Computed("2.26.1", None, {"web": "a"}))))
    del told["computed"]["program"]
    signed = envelope.write(workshop.seal(strict_json.dump(told), RECEIPT_PAYLOAD_TYPE, "ann", RECEIPT)).decode()

    assert remembered(workshop, signed).record.current == ANN


def remembered(workshop: Workshop, *envelopes: str, whole: bool = False) -> Memory:
    content = record_bytes(HostRecord(WEB, 1), envelopes)
    return remember(Remembering(content), HostLayout("/opt/platform"), WEB, workshop.keyring(), NOW, whole=whole)


def test_a_receipt_of_a_person_is_the_current_release(workshop: Workshop) -> None:
    assert remembered(workshop, sealed(workshop, ANN)).record.current == ANN


@pytest.mark.parametrize(
    ("by", "namespace", "receipt"),
    [
        ("mallory", RECEIPT, ANN),
        ("planner:ci", RECEIPT, ANN),
        ("ann", "approval@platformctl", ANN),
        ("ann", RECEIPT, replace(ANN, host=HostName("other"))),
        ("ann", RECEIPT, replace(ANN, module=ModuleId("other"))),
    ],
    ids=["stranger", "planner", "namespace", "another-host", "another-module"],
)
def test_any_other_receipt_proves_nothing(workshop: Workshop, by: str, namespace: str, receipt: Receipt) -> None:
    memory = remembered(workshop, sealed(workshop, receipt, by, namespace))
    assert memory.record.current is None
    assert len(memory.distrusted) == 1


def test_a_receipt_without_a_signature_proves_nothing(workshop: Workshop) -> None:
    unsigned = envelope.write(envelope.Envelope(receipt_payload(ANN), RECEIPT_PAYLOAD_TYPE)).decode()
    assert remembered(workshop, unsigned, "{}").record.current is None


def test_failures_do_not_push_the_way_back_out_of_the_record(workshop: Workshop) -> None:
    good = sealed(workshop, ANN)
    bad = sealed(workshop, replace(ANN, outcome="UNHEALTHY"))

    memory = remembered(workshop, good, *[bad] * (2 * KEPT_RECEIPTS))

    assert memory.record.current == ANN
    assert len(memory.envelopes) == KEPT_RECEIPTS + 1


def test_used_plans_do_not_fill_the_record(workshop: Workshop) -> None:
    used = tuple(Digest.of(str(number).encode()) for number in range(KEPT_CONSUMED + 5))
    content = record_bytes(HostRecord(WEB, 1, consumed=used), ())
    memory = remember(Remembering(content), HostLayout("/opt/platform"), WEB, workshop.keyring(), NOW)
    assert memory.record.consumed == used[-KEPT_CONSUMED:]


def test_a_host_saw_what_any_of_its_modules_saw(workshop: Workshop) -> None:
    saw = TrustSeen(GitSha("1" * 40), *(Digest.of(name.encode()) for name in ("policy", "hosts", "signers")))
    later = replace(saw, commit=GitSha("2" * 40))
    talkative = sealed(workshop, replace(ANN, outcome='"trust":null}\n'))
    records = [
        record_bytes(HostRecord(WEB, 1), ()),
        record_bytes(HostRecord(ModuleId("api"), 1, trust=saw), (talkative,)),
        *(record_bytes(HostRecord(ModuleId(name), 1, trust=later), ()) for name in ("db", "cache")),
    ]
    ends = b"".join(record[-1024:] for record in records)
    memory = Memory(HostRecord(WEB, 1), records[0], Recalled({WEB: records[0]}, modules=(WEB,) * 4, ends=ends))
    assert memory.trusts == (saw, later)


@pytest.mark.parametrize("end", [b"", b"{", b'"trust":{}}', b'{"trust":{"commit":null}}\n'])
def test_a_record_that_does_not_tell_what_it_saw_is_not_passed_over(end: bytes) -> None:
    with pytest.raises(ToolError):
        _ = Memory(HostRecord(WEB, 1), None, Recalled(modules=(WEB,), ends=end)).trusts


def test_a_key_that_may_sign_receipts_is_known_before(workshop: Workshop) -> None:
    require_receipt_key(workshop.key("ann"), workshop.keyring(), NOW, ENVIRONMENT)


@pytest.mark.parametrize("who", ["mallory", "planner:ci"])
def test_a_key_that_may_not_is_refused(workshop: Workshop, who: str) -> None:
    with pytest.raises(ApprovalMismatch) as refusal:
        require_receipt_key(workshop.key(who), workshop.keyring(), NOW, ENVIRONMENT)
    assert refusal.value.reason == "signer"


def test_more_than_fits_into_an_answer_is_asked_for_in_halves(workshop: Workshop, tmp_path: Path) -> None:
    """Each record is four megabytes on its way, as it can not be packed, and an answer has eight."""
    layout = prepared(tmp_path)
    modules = [ModuleId(name) for name in ("a", "b", "c")]
    for module in modules:
        content = record_bytes(HostRecord(module, 7), tuple(b64encode(randbytes(300_000)).decode() for _ in range(10)))
        ask(write_record(layout, module, content, replacing=None))
    with LocalTransport(HostEntry(HOST, "local", layout.root, allow_root=True), os.environ) as transport:
        memories = remember_each(transport, layout, modules, workshop.keyring(), NOW)
        assert transport.exchanges == 3

    assert [(memory.record.module, memory.record.serial) for memory in memories if isinstance(memory, Memory)] == [
        (module, 7) for module in modules
    ]
