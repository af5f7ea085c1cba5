"""Signatures verified in this process: as ssh-keygen verifies them, whatever is done to them."""

import base64
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from platformctl.errors import ApprovalMismatch
from platformctl.trust import keys, sshsig
from platformctl.trust.envelope import Signature
from platformctl.trust.public_key import PublicKey
from platformctl.trust.signers import APPROVAL
from tests.trust.workshop import ENVIRONMENT, NOW, PEOPLE, Workshop

MESSAGE = b"what ann signs"
SEED = 20261127


@pytest.fixture(scope="module")
def signature(workshop: Workshop) -> Signature:
    return keys.sign([MESSAGE], workshop.key("ann"), APPROVAL, ENVIRONMENT)[0]


def holds(signature: Signature, message: bytes = MESSAGE, namespace: str = APPROVAL) -> bool:
    return sshsig.holds(message, signature.armour, PublicKey.in_signature(signature.armour), namespace)


def test_a_signature_of_ssh_keygen_holds(workshop: Workshop, signature: Signature) -> None:
    signer = workshop.keyring().who_signed(MESSAGE, signature, APPROVAL, NOW, in_process=True)
    assert signer == workshop.keyring().who_signed(MESSAGE, signature, APPROVAL, NOW)


def test_other_bytes_another_namespace_and_another_key_do_not(workshop: Workshop, signature: Signature) -> None:
    (bobs,) = keys.sign([MESSAGE], workshop.key("bob"), APPROVAL, ENVIRONMENT)

    assert not holds(signature, MESSAGE + b"\n")
    assert not holds(signature, namespace="plan@platformctl")
    assert not sshsig.holds(MESSAGE, bobs.armour, PublicKey.in_signature(signature.armour), APPROVAL)


def test_a_key_of_another_type_is_still_ssh_keygens_to_verify(workshop: Workshop) -> None:
    key = workshop.folder / "rosa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(key)], check=True)
    (made,) = keys.sign([MESSAGE], key, APPROVAL, ENVIRONMENT)

    assert not holds(made)
    ring = workshop.keyring(workshop.line("rosa", PEOPLE))
    assert ring.who_signed(MESSAGE, made, APPROVAL, NOW, in_process=True).principal == "rosa"


def content(signature: Signature) -> bytearray:
    return bytearray(base64.b64decode(b"".join(signature.armour.splitlines()[1:-1])))


def armoured(content: bytes) -> bytes:
    lines = re.findall(rb".{1,70}", base64.b64encode(content))
    return b"\n".join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def flipped(signature: Signature) -> Iterator[bytes]:
    """The signature with one bit changed, for every byte of it; cut short; and with a byte more."""
    chance = random.Random(SEED)
    whole = content(signature)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        yield bytes(changed)
    yield from (bytes(whole[:length]) for length in range(0, len(whole), 7))
    yield bytes(whole) + b"\0"


def test_no_change_of_one_byte_holds(workshop: Workshop, signature: Signature) -> None:
    ring = workshop.keyring()
    for changed in flipped(signature):
        forged = replace(signature, armour=armoured(changed))
        with pytest.raises(ApprovalMismatch):
            ring.who_signed(MESSAGE, forged, APPROVAL, NOW, in_process=True)


def test_what_holds_here_holds_for_ssh_keygen(workshop: Workshop, signature: Signature) -> None:
    """One in nine of the changes, and the hash that `ssh-keygen -O hashalg` may choose instead."""
    for changed in [*list(flipped(signature))[::9], bytes(content(signature))]:
        forged = replace(signature, armour=armoured(changed))
        told = []
        for in_process in (True, False):
            try:
                workshop.keyring().who_signed(MESSAGE, forged, APPROVAL, NOW, in_process=in_process)
            except ApprovalMismatch as refusal:
                told.append(refusal.reason)
            else:
                told.append("holds")
        assert told[0] == told[1] or told[0] != "holds"
