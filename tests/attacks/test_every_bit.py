"""Every single bit turned, every length cut to, every byte added: refused, or the same payload under the same key.

An armoured signature is malleable, so some flips leave a file that still verifies; what is consumed is then the same.
A sample runs each time; `-m thorough` tries all of them, a process of ssh-keygen each.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from platformctl.errors import ApprovalMismatch, InvalidInput, Refusal
from platformctl.model.names import Digest
from platformctl.model.policy import ApprovalRule
from platformctl.trust import envelope as envelopes
from platformctl.trust import rules
from platformctl.trust.verify import verify
from tests.trust.workshop import NOW, SHA, Workshop, a_plan
from tests.trust.workshop import workshop as workshop  # the fixture

Outcome = Digest | type[Refusal]
RULE = rules.for_apply(ApprovalRule(), tool_version="0.1.0")
REFUSED = {ApprovalMismatch, InvalidInput}
SAMPLED = [
    pytest.param(211, id="sampled"),
    pytest.param(1, id="all", marks=[pytest.mark.thorough, pytest.mark.timeout(3600)]),
]


@dataclass(frozen=True)
class File:
    """A signed file, and what becomes of it when it is used: the digest of what it says, or how it is refused."""

    text: bytes
    use: Callable[[bytes], Outcome]

    def outcomes(self, texts: Iterator[bytes]) -> set[Outcome]:
        """What becomes of each."""
        with ThreadPoolExecutor(2) as hands:
            return set(hands.map(self.use, texts))


@pytest.fixture(params=["plan", "approval"])
def file(request: pytest.FixtureRequest, workshop: Workshop) -> File:
    plan, keyring = workshop.sealed_plan(a_plan()), workshop.keyring()
    approval = workshop.approval(plan, "ann")

    def use(text: bytes) -> Outcome:
        try:
            used = envelopes.read(text)
            pair = (used, approval) if request.param == "plan" else (plan, used)
            verified = verify(pair[0], [pair[1]], rule=RULE, keyring=keyring, head=SHA, now=NOW)
        except (ApprovalMismatch, InvalidInput) as refusal:
            return type(refusal)
        assert verified.digest == plan.digest, "what is consumed is the plan that was approved"
        return used.digest

    return File(envelopes.write(plan if request.param == "plan" else approval), use)


def flipped(text: bytes, every: int) -> Iterator[bytes]:
    for bit in range(0, len(text) * 8, every):
        copy = bytearray(text)
        copy[bit // 8] ^= 1 << (bit % 8)
        yield bytes(copy)


def test_the_file_as_it_is_counts(file: File) -> None:
    assert file.use(file.text) == envelopes.read(file.text).digest


@pytest.mark.parametrize("every", SAMPLED)
def test_a_file_with_a_bit_turned_is_refused_or_says_the_same(file: File, every: int) -> None:
    outcomes = file.outcomes(flipped(file.text, every))
    assert outcomes <= {*REFUSED, envelopes.read(file.text).digest}
    assert ApprovalMismatch in outcomes


@pytest.mark.parametrize("every", SAMPLED)
def test_a_payload_with_a_bit_turned_is_always_refused(file: File, every: int) -> None:
    whole = envelopes.read(file.text)
    altered = (envelopes.Envelope(p, whole.payload_type, whole.signatures) for p in flipped(whole.payload, every))
    assert file.outcomes(map(envelopes.write, altered)) == {ApprovalMismatch}


@pytest.mark.parametrize("every", SAMPLED)
def test_a_signature_with_a_bit_turned_is_refused_or_says_the_same(file: File, every: int) -> None:
    whole = envelopes.read(file.text)
    (signature,) = whole.signatures
    altered = (
        envelopes.Envelope(whole.payload, whole.payload_type, (envelopes.Signature(signature.keyid, armour),))
        for armour in flipped(signature.armour, min(every, 23))
    )
    outcomes = file.outcomes(map(envelopes.write, altered))
    assert outcomes <= {ApprovalMismatch, whole.digest}
    assert ApprovalMismatch in outcomes


def test_a_file_cut_short_is_refused_at_every_length(file: File) -> None:
    """But for the line end behind it, which says nothing."""
    whole = file.text.rstrip(b"\n")
    assert file.outcomes(whole[:length] for length in range(len(whole))) == {InvalidInput}


def test_a_file_with_any_byte_behind_it_is_refused(file: File) -> None:
    blank = b" \t\r\n"
    more = [bytes([byte]) for byte in range(256) if byte not in blank] + [b"{}", b"//", b"\n" + file.text]
    assert file.outcomes(file.text + each for each in more) == {InvalidInput}
    assert file.outcomes(file.text + bytes([byte]) for byte in blank) == {envelopes.read(file.text).digest}
