"""What a plan is judged by: the plan itself, who signed it, who approved it, and the time."""

from collections.abc import Callable
from datetime import datetime

from platformctl.errors import Refusal
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha
from platformctl.model.plan import Plan
from platformctl.trust.index import Index
from platformctl.trust.keys import Signer


@dataclass(frozen=True)
class SignedIndex:
    """An index whose signature holds."""

    index: Index
    digest: Digest
    signed_by: Signer


@dataclass(frozen=True)
class CountedApproval:
    """An approval that counts for the plan; `of_index` when it approves the index that lists the plan."""

    signer: Signer
    allows_destructive: bool
    of_index: bool


@dataclass(frozen=True)
class Evidence:
    """A plan whose signature holds, and everything a rule may ask.

    `discounted` say of each approval that does not count why. `head` is the commit the operator named, None where
    nobody was asked to name one.
    """

    plan: Plan
    digest: Digest
    signed_by: Signer
    approvals: tuple[CountedApproval, ...]
    discounted: tuple[Refusal, ...]
    index: SignedIndex | None
    head: GitSha | None
    now: datetime


Rule = Callable[[Evidence], tuple[Refusal, ...]]
"""Returns every reason why the plan may not run, the most important first; empty when it may."""
