"""allowed_signers: each line means what a reviewer sees, or is refused with its number."""

from datetime import UTC, datetime

import pytest

from platformctl.errors import InvalidInput
from platformctl.trust import signers
from platformctl.trust.public_key import NotAKey, PublicKey
from platformctl.trust.signers import APPROVAL
from tests.trust.workshop import Workshop

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJRUAiKS7YMJvGrsu3Z+hhTXcF3vq8CjFw+vfB0reQUx"
APPROVES = f'ann namespaces="approval@platformctl" {KEY}'


def test_a_line_says_who_for_what_and_when() -> None:
    options = 'namespaces="approval@platformctl,git",valid-after="20260101",valid-before="202701020304Z"'
    (line,) = signers.parse(f"# people\n\nann@example.org {options} {KEY} ann's laptop\n", "f").values()
    assert line.principal == "ann@example.org"
    assert line.namespaces == {"approval@platformctl", "git"}
    assert line.valid_after == datetime(2026, 1, 1, tzinfo=UTC)
    assert line.valid_before == datetime(2027, 1, 2, 3, 4, tzinfo=UTC)


def test_a_planner_may_plan_and_observe_and_nothing_else() -> None:
    (line,) = signers.parse(f'planner:ci namespaces="plan@platformctl,observation@platformctl" {KEY}', "f").values()
    assert line.is_planner

    for more in ("approval", "receipt", "trust"):
        with pytest.raises(InvalidInput):
            signers.parse(f'planner:ci namespaces="observation@platformctl,{more}@platformctl" {KEY}', "f")


def test_no_signers_is_nobody() -> None:
    assert signers.parse("# nobody yet\n", "f") == {}


@pytest.mark.parametrize(
    "line",
    [
        f"ann {KEY}",
        f'* namespaces="approval@platformctl" {KEY}',
        f'ann,bob namespaces="approval@platformctl" {KEY}',
        f'!ann namespaces="approval@platformctl" {KEY}',
        f'"ann bob" namespaces="approval@platformctl" {KEY}',
        f'ann namespaces="*" {KEY}',
        f'ann namespaces="approval@*" {KEY}',
        f'ann namespaces="" {KEY}',
        f'ann namespaces="aproval@platformctl" {KEY}',
        f"ann namespaces=approval@platformctl {KEY}",
        f'ann NAMESPACES="approval@platformctl" {KEY}',
        f'ann cert-authority,namespaces="approval@platformctl" {KEY}',
        f'ann namespaces="approval@platformctl",cert-authority {KEY}',
        f'ann namespaces="approval@platformctl",namespaces="git" {KEY}',
        f'ann namespaces="approval@platformctl", {KEY}',
        f'ann namespaces="approval@platformctl",valid-before="tomorrow" {KEY}',
        f'ann namespaces="approval@platformctl",valid-before="20261341" {KEY}',
        f'ann namespaces="approval@platformctl",valid-before="2026" {KEY}',
        f'ann namespaces="approval@platformctl",valid-before="٢٠٢٦٠١٠١" {KEY}',
        f'planner:ci namespaces="plan@platformctl,approval@platformctl" {KEY}',
        f'planner:ci namespaces="trust@platformctl" {KEY}',
        'ann namespaces="approval@platformctl" ssh-ed25519',
        'ann namespaces="approval@platformctl" ssh-ed25519 AAAA',
        'ann namespaces="approval@platformctl" ssh-ed25519 !!!!',
        f'ann namespaces="approval@platformctl" ssh-rsa {KEY.split()[1]}',
        f'ann namespaces="approval@platformctl" ssh-ed25519-cert-v01@openssh.com {KEY.split()[1]}',
        APPROVES + "\r",
        APPROVES + " \u202e",
        APPROVES + "\x00",
        f"  # indented {KEY}",
        f"# people\0{KEY}",
    ],
)
def test_a_line_that_means_more_or_less_than_it_shows_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        signers.parse(f"# people\n{line}\n", ".platform/allowed_signers")
    assert (refusal.value.file, refusal.value.line) == (".platform/allowed_signers", 2)


def test_a_key_of_two_people_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        signers.parse(f"{APPROVES}\n{APPROVES.replace('ann', 'bob')}\n", "f")
    assert refusal.value.line == 2


def test_a_principal_may_have_two_keys(workshop: Workshop) -> None:
    lines = signers.parse(workshop.signers, "f").values()
    assert [line.principal for line in lines].count("ann") == 2


@pytest.mark.parametrize(
    "armour",
    [
        b"",
        b"garbage",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\n=AAA\n-----END SSH SIGNATURE-----\n",
    ],
)
def test_what_is_not_a_signature_names_no_key(armour: bytes) -> None:
    with pytest.raises(NotAKey):
        PublicKey.in_signature(armour)


def test_a_revocation_list_has_a_key_a_line(workshop: Workshop) -> None:
    line = " ".join(workshop.line("ann", APPROVAL).split()[2:])
    keys = signers.parse_revoked(f"# lost on the train\n\n{line} ann@laptop, since May\n", "revoked_keys")
    assert keys == {PublicKey.parse(*line.split())}
    assert signers.parse_revoked("", "revoked_keys") == frozenset()


@pytest.mark.parametrize(
    "line",
    ["ssh-ed25519", "SHA256:abc", "ann ssh-ed25519 AAAA", "ssh-ed25519 AAAA!", "KRL", 'no-pty ssh-ed25519 AAAA"'],
)
def test_a_line_that_revokes_nothing_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        signers.parse_revoked(f"# keys\n{line}\n", ".platform/revoked_keys")
    assert (refusal.value.file, refusal.value.line) == (".platform/revoked_keys", 2)
