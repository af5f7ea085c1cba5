"""The one person or planner that an envelope is from."""

from datetime import datetime

from platformctl.errors import ApprovalMismatch
from platformctl.trust.envelope import Envelope
from platformctl.trust.keys import Keyring, Signer

_TOLD = 80
"""How many characters are repeated of a type that is not ours."""


def sole_signer(
    envelope: Envelope, payload_type: str, namespace: str, keyring: Keyring, at: datetime, *, in_process: bool = False
) -> Signer:
    """Return who signed `envelope` for `namespace`, as of `at`; the payload is not parsed.

    `in_process` is as in `Keyring.who_signed`. Raises `ApprovalMismatch`: `signature` for another type or a second
    signature (a document of ours is one person's word), `unsigned`, and what `Keyring.who_signed` raises.
    """
    if envelope.payload_type != payload_type:
        told = envelope.payload_type[:_TOLD]
        raise _refused("signature", f"its payload is of type {told}, and not of type {payload_type}")
    if not envelope.signatures:
        raise _refused("unsigned", "it carries no signature")
    if len(envelope.signatures) > 1:
        raise _refused("signature", "it carries more than one signature")
    return keyring.who_signed(envelope.pae, envelope.signatures[0], namespace, at, in_process=in_process)


def _refused(reason: str, detail: str) -> ApprovalMismatch:
    return ApprovalMismatch("an envelope is not signed as it must be", detail=detail, reason=reason)
