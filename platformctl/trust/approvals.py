"""An approval as an in-toto Statement v1 (https://github.com/in-toto/attestation, spec/v1/statement.md), and back.

Strict in both directions: an approval carries nothing that this tool does not understand.
"""

from platformctl.errors import InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.approval import PREDICATE_TYPE, STATEMENT_TYPE, Approval
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import GitSha, HostName
from platformctl.trust.plan_document import Sha256


@dataclass(frozen=True)
class _Digests:
    sha256: Sha256


@dataclass(frozen=True)
class _Subject:
    """What is approved. in-toto wants a name; nothing is decided by it."""

    name: str
    digest: _Digests


@dataclass(frozen=True)
class _Predicate:
    approver: str
    hosts: tuple[HostName, ...]
    source_sha: GitSha
    allows_destructive: bool
    comment: str
    approved_at: Moment
    expires_at: Moment


@dataclass(frozen=True)
class _Statement:
    """An approval in in-toto's form, with its names."""

    _type: str
    subject: tuple[_Subject, ...]
    predicateType: str  # noqa: N815
    predicate: _Predicate

    @property
    def is_approval(self) -> bool:
        return self._type == STATEMENT_TYPE and self.predicateType == PREDICATE_TYPE


def encode_approval(approval: Approval) -> bytes:
    """Return the payload for `approval`."""
    subject = _Subject("_", _Digests(Sha256(approval.subject.hexadecimal)))
    predicate = _Predicate(**{name: value for name, value in vars(approval).items() if name != "subject"})
    return strict_json.dump(codec.encode(_Statement(STATEMENT_TYPE, (subject,), PREDICATE_TYPE, predicate)))


def decode_approval(payload: bytes) -> Approval:
    """Return the approval in `payload`; raises `InvalidInput` for anything else, by field and never by value."""
    statement = codec.decode(_Statement, strict_json.load(payload, "approval"), "approval")
    if not statement.is_approval:
        raise InvalidInput("a statement is not an approval", detail=f"approval: expected {PREDICATE_TYPE}")
    if len(statement.subject) != 1:
        raise InvalidInput("an approval is of one thing", detail="approval: subject: expected one")
    return Approval(subject=statement.subject[0].digest.sha256.digest, **vars(statement.predicate))
