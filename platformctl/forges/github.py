"""GitHub: the public one, and those that companies run (`/api/v3`)."""

from collections.abc import Iterator
from typing import Any

from platformctl.forges.alike import Alike, comment, issue
from platformctl.forges.answers import check_state, moment, person, text
from platformctl.forges.wire import Wire, credentials
from platformctl.model.forge import (
    CheckState,
    CommitCheck,
    ForgeAddress,
    ForgeComment,
    ForgeIssue,
    ForgeUrl,
    Review,
    Word,
)
from platformctl.model.names import GitSha
from platformctl.model.secret import Secret

_WORDS = {"APPROVED": Word.APPROVED, "CHANGES_REQUESTED": Word.OBJECTED, "DISMISSED": Word.APPROVED}


class GitHubForge(Alike):
    """One repository on GitHub."""

    def __init__(self, address: ForgeAddress, token: Secret | None, **wire: Any) -> None:
        told: dict[str, Any] = {"accept": "application/vnd.github+json", "size": "per_page"}
        there = Wire(_interface_of(address.url), credentials("Bearer", token), **told, **wire)
        super().__init__(there, address.repository, "github-actions[bot]")

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Do as `Forge.reviews` does.

        A dismissed review does not count, and neither does what the same person said before it.
        """
        found = self._wire.get_all(f"{self._here}/pulls/{number}/reviews")
        decided = [each for each in found if text(each, "state") in _WORDS]
        return tuple(map(_review, sorted(decided, key=lambda each: moment(each, "submitted_at"))))

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """Do as `Forge.checks` does: check runs, and the statuses that other programs set."""
        return (*self._runs(commit), *self._statuses(commit))

    def _runs(self, commit: GitSha) -> Iterator[CommitCheck]:
        for each in self._wire.get_all(f"{self._here}/commits/{commit}/check-runs", "check_runs", filter="latest"):
            ended = text(each, "status") == "completed"
            state = check_state(text(each, "conclusion")) if ended else CheckState.PENDING
            yield CommitCheck(text(each, "name"), state)

    def _statuses(self, commit: GitSha) -> Iterator[CommitCheck]:
        for each in self._wire.get_all(f"{self._here}/commits/{commit}/status", "statuses"):
            yield CommitCheck(text(each, "context"), check_state(text(each, "state")))

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """Do as `Forge.comments` does."""
        return tuple(map(comment, self._wire.get_all(f"{self._here}/issues/{number}/comments")))

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """Do as `Forge.issues_by` does; GitHub lists pull requests among the issues."""
        found = self._wire.get_all(f"{self._here}/issues", state="open", creator=author)
        return tuple(issue(each) for each in found if "pull_request" not in each)


def _interface_of(url: ForgeUrl) -> ForgeUrl:
    return ForgeUrl("https://api.github.com" if url == "https://github.com" else f"{url}/api/v3")


def _review(answer: Any) -> Review:
    state = text(answer, "state")
    dismissed = state == "DISMISSED"
    return Review(person(answer, "user"), _WORDS[state], text(answer, "commit_id"), dismissed=dismissed)
