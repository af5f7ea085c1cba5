"""Signatures of ed25519 keys, verified in this process: the format is OpenSSH's PROTOCOL.sshsig, the curve a library's.

A host has a receipt for each of its modules, and running ssh-keygen for each of them took longer than everything else
in a plan of many modules. Signatures that let something be applied are verified by ssh-keygen, whatever it costs.
"""

import hashlib
from collections.abc import Iterator

from platformctl.trust.public_key import NotAKey, PublicKey, content_of

_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
KEY_TYPE = "ssh-ed25519"


def holds(message: bytes, armour: bytes, key: PublicKey, namespace: str) -> bool:
    """Return whether `armour` is a signature over `message` for `namespace` by `key`, which is of `KEY_TYPE`."""
    from cryptography.exceptions import InvalidSignature  # slow to import, and few commands verify so
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public, named, reserved, algorithm, signature = _strings(content_of(armour), 5)
        kind, point = _strings(public, 2)
        signed_by, bits = _strings(signature, 2)
        hashed = _HASHES[algorithm](message).digest()
        expected = (key.blob, KEY_TYPE.encode(), KEY_TYPE.encode(), namespace.encode(), b"")
        if (public, kind, signed_by, named, reserved) != expected:
            return False
        told = (namespace.encode(), b"", algorithm, hashed)
        Ed25519PublicKey.from_public_bytes(point).verify(bits, b"SSHSIG" + b"".join(map(_string, told)))
    except (InvalidSignature, NotAKey, KeyError, ValueError):
        return False
    return True


def _strings(content: bytes, count: int) -> tuple[bytes, ...]:
    """Return the `count` strings that `content` is made of; raise `NotAKey` if there are more or fewer."""
    found = tuple(_each(content))
    if len(found) != count:
        raise NotAKey("not so many strings")
    return found


def _each(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4], "big")
        if at + 4 > len(content) or end > len(content):
            raise NotAKey("cut short")
        yield content[at + 4 : end]
        at = end


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
