"""A security key in software: signs as FIDO hardware does, so that OpenSSH takes its signatures for such.

Formats: OpenSSH's PROTOCOL.u2f (key and signature) and PROTOCOL.sshsig (armour).
"""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platformctl.trust.envelope import Envelope, Signature, pae

TYPE = b"sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"
TOUCHED = b"\x01"
COUNTER = (7).to_bytes(4, "big")


class SecurityKey:
    """One key pair, touched by somebody whenever it signs."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()

    @property
    def blob(self) -> bytes:
        """The public key as OpenSSH spells it."""
        return _string(TYPE) + _string(self.private.public_key().public_bytes_raw()) + _string(APPLICATION)

    @property
    def line(self) -> str:
        """Type and key for allowed_signers."""
        return f"{TYPE.decode()} {base64.b64encode(self.blob).decode()}"

    def seal(self, payload: bytes, payload_type: str, namespace: str) -> Envelope:
        """An envelope signed by this key."""
        signature = Signature("hardware", self._armour(pae(payload_type, payload), namespace.encode()))
        return Envelope(payload, payload_type, (signature,))

    def _armour(self, message: bytes, namespace: bytes) -> bytes:
        about = _string(namespace) + _string(b"") + _string(b"sha512")
        signed = hashlib.sha256(b"SSHSIG" + about + _string(hashlib.sha512(message).digest())).digest()
        raw = self.private.sign(hashlib.sha256(APPLICATION).digest() + TOUCHED + COUNTER + signed)
        signature = _string(TYPE) + _string(raw) + TOUCHED + COUNTER
        content = b"SSHSIG" + (1).to_bytes(4, "big") + _string(self.blob) + about + _string(signature)
        lines = base64.encodebytes(content)
        return b"-----BEGIN SSH SIGNATURE-----\n" + lines + b"-----END SSH SIGNATURE-----\n"


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
