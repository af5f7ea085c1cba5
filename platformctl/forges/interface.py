"""What a forge can be asked and told. Each answer is of one repository and is read to its end.

Every method raises `Unreachable` (reason `forge`) when nothing came back in time, and `ToolError` for an answer that
refuses or can not be understood.
"""

from typing import Protocol

from platformctl.model.forge import CheckState, CommitCheck, ForgeComment, ForgeIssue, PullRequest, Review
from platformctl.model.names import GitSha


class Forge(Protocol):
    """One repository on Forgejo, Gitea or GitHub."""

    def pull_request(self, number: int) -> PullRequest:
        """The pull request as it is now."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Every approval and objection, oldest first."""

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """How each check of a commit stands; of one name the newest alone."""

    def myself(self) -> str:
        """The name under which this token writes."""

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """Every comment under a pull request or an issue, oldest first."""

    def post_comment(self, number: int, body: str) -> None:
        """Add a comment."""

    def edit_comment(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """Say how a check of a commit stands."""

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """Every open issue that `author` opened, oldest first."""

    def open_issue(self, title: str, body: str) -> int:
        """Open an issue; its number is returned."""
