"""What is known of a pull request, on whatever forge: who wrote it, who approved which commit, what was checked.

A forge is Forgejo, Gitea or GitHub. `trust.pull_requests` decides what its answers mean for an apply.
"""

import re
from enum import Enum

from platformctl.model.frozen import dataclass
from platformctl.model.names import Checked, GitSha


class ForgeKind(Enum):
    """Which program keeps the pull requests; Forgejo has Gitea's interface."""

    FORGEJO = "forgejo"
    GITEA = "gitea"
    GITHUB = "github"


class ForgeUrl(Checked):
    """The address of a forge. A token is sent there, so without TLS it may only be this machine."""

    __slots__ = ()
    pattern = re.compile(
        r"(?:https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|http://(?:127\.0\.0\.1|localhost|\[::1\]))"
        r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]{1,100}){0,8}\Z"
    )
    meaning = "an https address without user name, query and slash at its end (http only for this machine)"


class ForgeRepository(Checked):
    """A repository on a forge: its owner and its name."""

    __slots__ = ()
    pattern = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
    meaning = "a repository (owner/name)"


@dataclass(frozen=True)
class ForgeAddress:
    """One repository on one forge."""

    kind: ForgeKind
    url: ForgeUrl
    repository: ForgeRepository


class Word(Enum):
    """What a reviewer said about a commit; a mere comment is neither."""

    APPROVED = "approved"
    OBJECTED = "objected"


@dataclass(frozen=True)
class Review:
    """A reviewer's word about one commit. Reviews are in the order they were given.

    `official` (by somebody who may approve) and `stale` (given before the last push) are as the forge says, if it does.
    """

    reviewer: str
    word: Word
    commit: str
    official: bool = True
    stale: bool = False
    dismissed: bool = False


@dataclass(frozen=True)
class PullRequest:
    """A pull request as it is now. `merge_commit` is None unless it was merged."""

    number: int
    author: str
    head: GitSha
    merge_commit: GitSha | None
    is_open: bool


class CheckState(Enum):
    """The state of a check of a commit, in the words that every forge accepts."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True)
class CommitCheck:
    """One check of a commit by its name, in its present state."""

    name: str
    state: CheckState


@dataclass(frozen=True)
class ForgeComment:
    """A comment under a pull request or an issue."""

    id: int
    author: str
    body: str


@dataclass(frozen=True)
class ForgeIssue:
    """An open issue."""

    number: int
    author: str
    title: str
