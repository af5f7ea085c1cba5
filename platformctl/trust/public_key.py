"""Public keys of OpenSSH: as a line of a file, and as they stand inside a signature.

Formats: RFC 4253 section 6.6 (keys), OpenSSH's PROTOCOL.sshsig (signatures). Nothing here verifies anything.
"""

import base64
import binascii
import hashlib
import re
from typing import Self

from platformctl.model.frozen import dataclass

KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
"""The key types that are accepted. No certificates: whoever holds an authority's key could name any principal."""

_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,100}\n){1,200})-----END SSH SIGNATURE-----\n?\Z"
)
_MAGIC = b"SSHSIG\x00\x00\x00\x01"


class NotAKey(ValueError):
    """Raised for bytes that are no public key we know, or no signature; the text says what is wrong."""


@dataclass(frozen=True)
class PublicKey:
    """A public key by its bytes: keys with the same bytes are the same key."""

    blob: bytes

    @classmethod
    def parse(cls, key_type: str, encoded: str) -> Self:
        """Return the key of a line's two words; raises `NotAKey`."""
        if key_type not in KEY_TYPES:
            raise NotAKey("the key type is not one of " + ", ".join(sorted(KEY_TYPES)))
        try:
            key = cls(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise NotAKey("the key is not base64") from None
        if key.type != key_type:
            raise NotAKey("the key is not of the type its line names")
        return key

    @classmethod
    def in_signature(cls, armour: bytes) -> Self:
        """Return the key that an armoured signature says it was made with; raises `NotAKey`."""
        return cls(_first_string(content_of(armour)))

    @property
    def type(self) -> str:
        """The key type that the key itself names."""
        return _first_string(self.blob).decode("ascii", "replace")

    @property
    def key_id(self) -> str:
        """OpenSSH's fingerprint, `SHA256:` and unpadded base64."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def hardware(self) -> bool:
        """Whether the private half can not leave a security key.

        It does not tell whether somebody touched that: `ssh-keygen -Y verify` accepts signatures of keys made with
        `no-touch-required`.
        """
        return self.type.startswith("sk-")


def content_of(armour: bytes) -> bytes:
    """Return the strings that an armoured signature is made of, still encoded; raises `NotAKey`."""
    body = _ARMOUR.match(armour)
    if body is None:
        raise NotAKey("not an armoured SSH signature")
    try:
        content = base64.b64decode(body[1].replace(b"\n", b""), validate=True)
    except (binascii.Error, ValueError):
        raise NotAKey("not an armoured SSH signature") from None
    if not content.startswith(_MAGIC):
        raise NotAKey("not a signature of the first version of SSHSIG")
    return content[len(_MAGIC) :]


def _first_string(content: bytes) -> bytes:
    """Return the string at the start of `content`: four bytes of length, then that many bytes."""
    length = int.from_bytes(content[:4], "big")
    if len(content) < 4 + length:
        raise NotAKey("cut short")
    return content[4 : 4 + length]
