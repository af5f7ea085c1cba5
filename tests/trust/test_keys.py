"""Signing and finding out who signed, with the real ssh-keygen."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from platformctl.errors import ApprovalMismatch, InvalidInput, ToolError, Usage
from platformctl.trust import keys
from platformctl.trust.envelope import Signature
from platformctl.trust.signers import APPROVAL, PLAN
from tests.trust.workshop import ENVIRONMENT, NOW, PEOPLE, Workshop

MESSAGE = b"what ann signs"
NOBODY_AT_THE_TERMINAL = {**ENVIRONMENT, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"}


def refused(keyring: keys.Keyring, signature: Signature, *, message: bytes = MESSAGE, namespace: str = APPROVAL) -> str:
    with pytest.raises(ApprovalMismatch) as refusal:
        keyring.who_signed(message, signature, namespace, NOW)
    return refusal.value.reason


@pytest.fixture(scope="module")
def signature(workshop: Workshop) -> Signature:
    return keys.sign([MESSAGE], workshop.key("ann"), APPROVAL, ENVIRONMENT)[0]


def test_who_signed_is_told_by_name(workshop: Workshop, signature: Signature) -> None:
    signer = workshop.keyring().who_signed(MESSAGE, signature, APPROVAL, NOW)
    assert signer == keys.Signer("ann", keys.fingerprint(workshop.key("ann"), ENVIRONMENT), hardware=False)


def test_the_keyid_comes_from_the_key_and_decides_nothing(workshop: Workshop, signature: Signature) -> None:
    assert signature.keyid == keys.fingerprint(workshop.key("ann"), ENVIRONMENT)
    bob = keys.fingerprint(workshop.key("bob"), ENVIRONMENT)
    assert workshop.keyring().who_signed(MESSAGE, replace(signature, keyid=bob), APPROVAL, NOW).principal == "ann"


def test_other_bytes_are_not_signed(workshop: Workshop, signature: Signature) -> None:
    assert refused(workshop.keyring(), signature, message=MESSAGE + b"\n") == "signature"


def test_a_stranger_is_nobody(workshop: Workshop) -> None:
    (stranger,) = keys.sign([MESSAGE], workshop.key("stranger"), APPROVAL, ENVIRONMENT)
    assert refused(workshop.keyring(), stranger) == "signer"


def test_no_signers_is_refused(workshop: Workshop, signature: Signature) -> None:
    assert refused(workshop.keyring("# nobody\n"), signature) == "signer"


def test_a_signature_for_another_namespace_is_refused(workshop: Workshop) -> None:
    (receipt,) = keys.sign([MESSAGE], workshop.key("ann"), "receipt@platformctl", ENVIRONMENT)
    assert refused(workshop.keyring(), receipt) == "signature"


def test_a_namespace_the_signer_does_not_have_is_refused(workshop: Workshop) -> None:
    (plan,) = keys.sign([MESSAGE], workshop.key("ann"), PLAN, ENVIRONMENT)
    assert refused(workshop.keyring(), plan, namespace=PLAN) == "signer"


@pytest.mark.parametrize("options", [',valid-before="20260601"', ',valid-after="20260602"'])
def test_a_key_out_of_its_time_is_refused(workshop: Workshop, signature: Signature, options: str) -> None:
    assert refused(workshop.keyring(workshop.line("ann", PEOPLE, options=options)), signature) == "signer"


@pytest.mark.parametrize("end", ["202606011201", "202606011201Z", "20260601120001"])
def test_our_clock_and_ssh_keygens_agree_on_the_end_of_a_key(
    workshop: Workshop, signature: Signature, end: str
) -> None:
    keyring = workshop.keyring(workshop.line("ann", PEOPLE, options=f',valid-before="{end}"'))
    assert keyring.who_signed(MESSAGE, signature, APPROVAL, NOW).principal == "ann"
    with pytest.raises(ApprovalMismatch):
        keyring.who_signed(MESSAGE, signature, APPROVAL, NOW + timedelta(minutes=2))


def test_a_revoked_key_is_refused_and_said_to_be(workshop: Workshop, signature: Signature) -> None:
    with pytest.raises(ApprovalMismatch, match="somebody who may") as refusal:
        workshop.keyring(revoked="ann").who_signed(MESSAGE, signature, APPROVAL, NOW)
    assert (refusal.value.reason, "revoked" in refusal.value.detail) == ("signer", True)


def test_another_key_of_a_person_still_signs_when_one_is_revoked(workshop: Workshop) -> None:
    (laptop,) = keys.sign([MESSAGE], workshop.key("ann-laptop"), APPROVAL, ENVIRONMENT)
    assert workshop.keyring(revoked="ann").who_signed(MESSAGE, laptop, APPROVAL, NOW).principal == "ann"


@pytest.mark.parametrize("armour", [b"", b"garbage\n", b"-----BEGIN SSH SIGNATURE-----\n"])
def test_garbage_is_no_signature(workshop: Workshop, armour: bytes) -> None:
    assert refused(workshop.keyring(), Signature("", armour)) == "signature"


def test_garbage_behind_a_signature_is_refused(workshop: Workshop, signature: Signature) -> None:
    assert refused(workshop.keyring(), replace(signature, armour=signature.armour + b"garbage\n")) == "signature"


def test_a_bad_line_keeps_the_whole_keyring_from_being_used(workshop: Workshop) -> None:
    with pytest.raises(InvalidInput):
        workshop.keyring(workshop.signers + "* cert-authority ssh-ed25519 AAAA\n")


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no such key"):
        keys.sign([MESSAGE], tmp_path / "none", PLAN, ENVIRONMENT)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "open"
    keys.make_key(key, "open", ENVIRONMENT)
    key.chmod(0o644)
    with pytest.raises(Usage, match="open to others"):
        keys.sign([MESSAGE], key, PLAN, ENVIRONMENT)


@pytest.fixture
def public_half(workshop: Workshop, tmp_path: Path) -> Path:
    """ann's public key where the private one is not beside it."""
    path = tmp_path / "ann.pub"
    path.write_text(keys.public_line(workshop.key("ann"), ENVIRONMENT) + "\n")
    return path


@pytest.fixture
def agent(workshop: Workshop, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of an ssh-agent that holds ann's key."""
    environment = {**ENVIRONMENT, "SSH_AUTH_SOCK": str(tmp_path / "agent")}
    with subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        subprocess.run(["ssh-add", "-q", workshop.key("ann")], env=environment, check=True)
        yield environment
        process.terminate()


def test_an_agent_signs_for_a_public_key(
    workshop: Workshop, public_half: Path, agent: Mapping[str, str], signature: Signature
) -> None:
    (made,) = keys.sign([MESSAGE], public_half, APPROVAL, agent)
    assert workshop.keyring().who_signed(MESSAGE, made, APPROVAL, NOW).principal == "ann"


def test_many_messages_are_signed_each_by_itself(workshop: Workshop) -> None:
    other = MESSAGE + b"!"
    made = keys.sign([MESSAGE, other], workshop.key("ann"), APPROVAL, ENVIRONMENT)
    for message, signature in zip([MESSAGE, other], made, strict=True):
        assert workshop.keyring().who_signed(message, signature, APPROVAL, NOW).principal == "ann"
    with pytest.raises(ApprovalMismatch):
        workshop.keyring().who_signed(MESSAGE, made[1], APPROVAL, NOW)


def test_a_public_key_that_no_agent_holds_is_refused(public_half: Path) -> None:
    with pytest.raises(Usage, match="no agent holds"):
        keys.sign([MESSAGE], public_half, APPROVAL, ENVIRONMENT)


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A key with a passphrase."""
    path = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", path], check=True)
    return path


def test_a_key_with_a_passphrase_and_nobody_to_type_it_is_refused(locked: Path) -> None:
    with pytest.raises(Usage, match="can not be opened") as refusal:
        keys.sign([MESSAGE], locked, APPROVAL, NOBODY_AT_THE_TERMINAL)
    assert refusal.value.hint == f"ssh-add {locked}"


def test_without_ssh_keygen_nothing_is_decided(workshop: Workshop, signature: Signature, tmp_path: Path) -> None:
    keyring = keys.Keyring(workshop.signers, environment={"PATH": str(tmp_path)})
    with pytest.raises(ToolError, match="not installed"):
        keyring.who_signed(MESSAGE, signature, APPROVAL, NOW)
    with pytest.raises(ToolError, match="not installed"):
        keys.sign([MESSAGE], workshop.key("ann"), APPROVAL, {"PATH": str(tmp_path)})


def test_a_key_is_never_overwritten(workshop: Workshop) -> None:
    with pytest.raises(Usage, match="overwritten"):
        keys.make_key(workshop.key("ann"), "ann", ENVIRONMENT)


def test_a_new_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    keys.make_key(tmp_path / "key", "comment", ENVIRONMENT)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_the_public_line_of_a_private_key_needs_no_pub_file(workshop: Workshop, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.touch(0o600)
    copy.write_bytes(workshop.key("ann").read_bytes())
    assert keys.public_line(copy, ENVIRONMENT) == keys.public_line(workshop.key("ann"), ENVIRONMENT)


def test_a_file_that_is_no_public_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("hello\n")
    with pytest.raises(Usage, match="not a public key"):
        keys.public_line(tmp_path / "key.pub", ENVIRONMENT)


def test_that_a_signature_holds_is_asked_once_and_of_each_message_anew(
    workshop: Workshop, signature: Signature, tmp_path: Path
) -> None:
    count = tmp_path / "asked"
    program = tmp_path / "ssh-keygen"
    program.write_text(f'#!/bin/sh\necho >>{count}\nPATH=${{PATH#*:}} exec ssh-keygen "$@"\n')
    program.chmod(0o755)
    counted = {"PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    ring = keys.Keyring(workshop.signers, environment=counted)

    for _ in range(3):
        assert ring.who_signed(MESSAGE, signature, APPROVAL, NOW).principal == "ann"
    assert len(count.read_text().splitlines()) == 1

    assert refused(ring, signature, message=b"another message") == "signature"
    assert refused(ring, signature, namespace=PLAN) == "signer"
    assert refused(ring, signature, namespace="receipt@platformctl") == "signature"
    assert refused(ring, signature, message=b"another message") == "signature"


def test_a_key_that_ends_meanwhile_is_refused_although_its_signature_held(
    workshop: Workshop, signature: Signature
) -> None:
    end = NOW + timedelta(seconds=5)
    ring = workshop.keyring(workshop.line("ann", PEOPLE, options=f',valid-before="{end:%Y%m%d%H%M%S}Z"'))
    ring.who_signed(MESSAGE, signature, APPROVAL, NOW)
    with pytest.raises(ApprovalMismatch):
        ring.who_signed(MESSAGE, signature, APPROVAL, end)
