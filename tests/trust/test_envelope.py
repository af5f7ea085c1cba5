"""Envelopes: what is signed, one spelling, and nothing beside it."""

import base64
import json

import pytest
from securesystemslib.dsse import Envelope as TheirEnvelope

from platformctl.errors import InvalidInput
from platformctl.trust import envelope
from platformctl.trust.envelope import Envelope, Signature, pae

SEALED = Envelope(b'{"a":1}', "application/x", (Signature("SHA256:k", b"armour"),))


def document(**changes: object) -> bytes:
    return json.dumps({**json.loads(envelope.write(SEALED)), **changes}).encode()


def test_signed_bytes_are_those_of_the_published_vector() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


@pytest.mark.parametrize("payload", [b"", b"x" * 1000, bytes(range(256)), "ü 1 2".encode()])
@pytest.mark.parametrize("payload_type", ["", "application/json", "tüp 3"])
def test_signed_bytes_are_those_another_library_signs(payload: bytes, payload_type: str) -> None:
    assert pae(payload_type, payload) == TheirEnvelope(payload, payload_type, {}).pae()


def test_type_and_payload_do_not_run_into_each_other() -> None:
    assert pae("a 1", b"b") != pae("a", b"1 b")


def test_another_library_reads_what_we_write() -> None:
    theirs = TheirEnvelope.from_dict(json.loads(envelope.write(SEALED)))
    assert (theirs.payload, theirs.payload_type) == (SEALED.payload, SEALED.payload_type)
    assert bytes.fromhex(theirs.signatures["SHA256:k"].signature) == b"armour"


def test_an_envelope_is_read_as_it_was_written() -> None:
    assert envelope.read(envelope.write(SEALED)) == SEALED


def test_the_digest_is_of_the_payload_and_not_of_signatures() -> None:
    assert SEALED.digest == Envelope(SEALED.payload, "other").digest
    assert SEALED.digest == "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        document(extra=1),
        document(payload=None),
        document(payload="e30"),
        document(payload="e31="),
        document(payload="e3 0="),
        document(payload="e30=\n"),
        document(payload="ü"),
        document(payloadType=7),
        document(signatures={}),
        document(signatures=[{"keyid": "a"}]),
        document(signatures=[{"keyid": "a", "sig": "", "cert": ""}]),
        document(signatures=[{"keyid": "a", "sig": ""}] * 17),
        document().replace(b'"payload":', b'"payload": "e30=", "payload":'),
        document() + b"{}",
    ],
)
def test_what_is_not_exactly_an_envelope_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        envelope.read(text)


def test_an_envelope_beyond_the_cap_is_refused() -> None:
    with pytest.raises(InvalidInput):
        envelope.read(document(payload=base64.b64encode(bytes(13 * 1024 * 1024)).decode()))
