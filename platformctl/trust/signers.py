"""Read allowed_signers more strictly than ssh-keygen does: each line has one principal, one key, and what it is for.

ssh-keygen takes patterns, certificate authorities, lines without `namespaces=` and keys that appear twice. Each of them
lets a line mean more than a reviewer sees, so here they are refused. People are told apart by principal; a key belongs
to one principal, so one key is never two people.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from platformctl.errors import InvalidInput
from platformctl.model.frozen import dataclass
from platformctl.trust.public_key import NotAKey, PublicKey

PLAN = "plan@platformctl"
APPROVAL = "approval@platformctl"
RECEIPT = "receipt@platformctl"
TRUST = "trust@platformctl"
OBSERVATION = "observation@platformctl"
NAMESPACES = frozenset({PLAN, APPROVAL, RECEIPT, TRUST, OBSERVATION})
PLANNER = "planner:"
"""Principals that begin with this are machines: they observe and plan, and do nothing else."""

_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@:-]{0,127}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_OPTION = re.compile(r'([a-z-]+)="([^"]*)"(?:,(?=[a-z])|\Z)')
_LINE = re.compile(r'(?P<principal>\S+)[ \t]+(?P<options>(?:[^\s"]|"[^"]*")+)[ \t]+(?P<type>\S+)[ \t]+(?P<key>\S+)')
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_OPTIONS = {"namespaces", "valid-after", "valid-before"}


@dataclass(frozen=True)
class SignerLine:
    """Whose key this is, for what it may sign, and when. Times without a zone are UTC, so that all machines agree."""

    principal: str
    key: PublicKey
    namespaces: frozenset[str]
    valid_after: datetime | None
    valid_before: datetime | None

    @property
    def is_planner(self) -> bool:
        """Whether this is a machine's key."""
        return self.principal.startswith(PLANNER)

    def in_force(self, at: datetime) -> bool:
        """Whether the key may be used at that time."""
        begun = self.valid_after is None or self.valid_after <= at
        return begun and (self.valid_before is None or at < self.valid_before)


def parse(text: str, file: str) -> Mapping[PublicKey, SignerLine]:
    """Return the lines of an allowed_signers `text` by key; raises `InvalidInput` with `file` and line."""
    lines: dict[PublicKey, SignerLine] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        # A NUL parts signers from revoked keys where both have one digest: in a comment it could hide a key of those.
        if "\0" not in line and (not line.strip(" \t") or line.startswith("#")):
            continue
        try:
            signer = _signer(line)
            if signer.key in lines:
                raise _Misread("the key stands in an earlier line already")
        except (_Misread, NotAKey) as error:
            raise InvalidInput(
                "a line of allowed_signers can not be used", detail=str(error), hint=_HINT, file=file, line=number
            ) from None
        lines[signer.key] = signer
    return lines


def parse_revoked(text: str, file: str) -> frozenset[PublicKey]:
    """Return the keys of a revocation list: one public key a line, as in `ssh-keygen -Y verify -r`.

    Raises `InvalidInput` with `file` and line for anything else, so that no key is thought revoked that is not.
    """
    keys = set()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            keys.add(PublicKey.parse(words[0], words[1] if len(words) > 1 else ""))
        except NotAKey as error:
            hint = "write: ssh-ed25519 KEY COMMENT, without options"
            raise InvalidInput(
                "a line of revoked_keys can not be used", detail=str(error), hint=hint, file=file, line=number
            ) from None
    return frozenset(keys)


class _Misread(ValueError):
    """Raised for a line that can not be used; the text says what is wrong with it."""


_HINT = f'write: PRINCIPAL namespaces="{APPROVAL},{RECEIPT}" ssh-ed25519 KEY'


def _signer(line: str) -> SignerLine:
    if any(not character.isprintable() and character != "\t" for character in line):
        raise _Misread("there is a control character in the line")
    words = _LINE.match(line)
    if words is None:
        raise _Misread("expected a principal, options, a key type and a key")
    options = _options(words["options"])
    principal = _principal(words["principal"])
    return SignerLine(
        principal,
        PublicKey.parse(words["type"], words["key"]),
        _namespaces(options.get("namespaces", ""), principal),
        _time(options.get("valid-after")),
        _time(options.get("valid-before")),
    )


def _principal(text: str) -> str:
    if not _PRINCIPAL.match(text):
        raise _Misread("expected one principal of letters, digits and . _ + @ : - (no pattern, no list)")
    return text


def _options(text: str) -> dict[str, str]:
    found = list(_OPTION.finditer(text))
    options = {match[1]: match[2] for match in found}
    if "".join(match[0] for match in found) != text or not options.keys() <= _OPTIONS or len(options) != len(found):
        raise _Misread('expected namespaces="…" and at most valid-after="…" and valid-before="…", each once')
    return options


def _namespaces(text: str, principal: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if not all(_NAMESPACE.match(name) for name in names):
        raise _Misread("expected namespaces= with one or more names and no pattern")
    if unknown := {name for name in names - NAMESPACES if name.endswith("@platformctl")}:
        raise _Misread(f"unknown namespace {', '.join(sorted(unknown))}")
    if principal.startswith(PLANNER) and names & (NAMESPACES - {PLAN, OBSERVATION}):
        raise _Misread(f"a principal that begins with {PLANNER} may have {PLAN} and {OBSERVATION} alone")
    return names


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    digits = text.removesuffix("Z")
    try:
        if not digits.isascii() or not digits.isdigit():
            raise ValueError
        return datetime.strptime(digits, _TIMES[len(digits)]).replace(tzinfo=UTC)
    except (ValueError, KeyError):
        raise _Misread("expected a time as YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, Z at most behind it") from None
