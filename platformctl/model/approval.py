"""A person's signed word that a plan may run."""

from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, HostName

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://platformctl.dev/approval/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Approval:
    """What was approved (the digest of a plan's or index's payload), for which hosts, by whom, until when.

    `approver` is what the approvers call themselves; the signature decides who they are.
    """

    subject: Digest
    approver: str
    hosts: tuple[HostName, ...]
    source_sha: GitSha
    allows_destructive: bool
    comment: str
    approved_at: str
    expires_at: str
