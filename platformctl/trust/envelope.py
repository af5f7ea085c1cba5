"""The DSSE envelope: bytes, what they mean, and signatures over both (https://github.com/secure-systems-lab/dsse).

Reading checks the form alone. `keys.Keyring` says who signed, over `pae`, before anybody parses the payload.
"""

import base64
import binascii
import hashlib

from platformctl.errors import InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest

MAX_SIGNATURES = 16
"""How many signatures are read at most: each costs a process to verify, and ours carry only a few."""


@dataclass(frozen=True)
class Signature:
    """An armoured SSH signature. `keyid` is a hint for people: who signed is read from the signature itself."""

    keyid: str
    armour: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload as it was signed, byte for byte."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...] = ()

    @property
    def digest(self) -> Digest:
        """The digest of the payload, which identifies it, whoever signed it and however often."""
        return digest(self.payload)

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding; the lengths keep type and payload from running into each other."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def digest(payload: bytes) -> Digest:
    """Return the digest of `payload`."""
    return Digest(f"sha256:{hashlib.sha256(payload).hexdigest()}")


def read(text: bytes) -> Envelope:
    """Return the envelope in `text`; raises `InvalidInput` for anything that is not exactly one.

    Fields beside DSSE's own are refused: nothing signs them, so nothing may come to rely on them.
    """
    document = codec.decode(_Document, strict_json.load(text, "envelope"), "envelope")
    if len(document.signatures) > MAX_SIGNATURES:
        raise InvalidInput("an envelope has too many signatures", detail=f"more than {MAX_SIGNATURES}")
    signatures = tuple(Signature(each.keyid, _bytes(each.sig, "sig")) for each in document.signatures)
    return Envelope(_bytes(document.payload, "payload"), document.payloadType, signatures)


def write(envelope: Envelope) -> bytes:
    """Return `envelope` in its one spelling: JSON in one line."""
    signatures = tuple(_Signature(each.keyid, _text(each.armour)) for each in envelope.signatures)
    document = _Document(_text(envelope.payload), envelope.payload_type, signatures)
    return strict_json.dump(codec.encode(document)) + b"\n"


@dataclass(frozen=True)
class _Signature:
    keyid: str
    sig: str


@dataclass(frozen=True)
class _Document:
    """The JSON form; the names are DSSE's."""

    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature, ...]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str, field: str) -> bytes:
    """Decode base64 that has only one spelling; raise `InvalidInput` for any other.

    `b64decode` alone accepts unused bits and passes over some characters.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = None
    if content is None or _text(content) != text:
        raise InvalidInput("an envelope is not the DSSE envelope it must be", detail=f"{field}: expected base64")
    return content
