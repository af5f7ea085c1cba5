"""What a forge can be asked and told about one repository. Lists are complete, however many pages they come in.

Every method raises `Unreachable` (reason `forge`) when nothing came back in time, and `ToolError` for an answer that
refuses or can not be understood.
"""

from typing import Protocol

from platformctl.model.forge import CheckState, CommitCheck, ForgeComment, ForgeIssue, PullRequest, Review
from platformctl.model.names import GitSha


class Forge(Protocol):
    """One repository on Forgejo, Gitea or GitHub."""

    def pull_request(self, number: int) -> PullRequest:
        """Return the pull request as it is now."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Return every approval and every request for changes, oldest first."""

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """Return how each check of a commit stands; where several have one name, the newest alone."""

    def myself(self) -> str:
        """Return the name of the user that comments and issues of this token have as their author."""

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """Return every comment under a pull request or an issue, oldest first."""

    def post_comment(self, number: int, body: str) -> None:
        """Add a comment."""

    def edit_comment(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """Set how the check `name` of a commit stands; one that was set before is replaced. `link` may be empty."""

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """Return every open issue that `author` opened, oldest first."""

    def open_issue(self, title: str, body: str) -> int:
        """Open an issue and return its number."""
