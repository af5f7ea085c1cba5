"""Forgejo and Gitea, whose interfaces are the same as far as they are used here (`/api/v1`)."""

from typing import Any

from platformctl.forges.alike import Alike, comment, issue
from platformctl.forges.answers import check_state, flag, items, moment, person, text
from platformctl.forges.wire import Wire, credentials
from platformctl.model.forge import CommitCheck, ForgeAddress, ForgeComment, ForgeIssue, ForgeUrl, Review, Word
from platformctl.model.names import GitSha
from platformctl.model.secret import Secret

_WORDS = {"APPROVED": Word.APPROVED, "REQUEST_CHANGES": Word.OBJECTED}


class GiteaForge(Alike):
    """One repository on Forgejo or Gitea."""

    def __init__(self, address: ForgeAddress, token: Secret | None, **wire: Any) -> None:
        there = Wire(ForgeUrl(f"{address.url}/api/v1"), credentials("token", token), **wire)
        super().__init__(there, address.repository, f"{address.kind.value}-actions")

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Do as `Forge.reviews` does; a review by a team has no person and does not count."""
        found = self._wire.get_all(f"{self._here}/pulls/{number}/reviews")
        decided = [each for each in found if text(each, "state") in _WORDS]
        return tuple(map(_review, sorted(decided, key=lambda each: moment(each, "submitted_at"))))

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """Do as `Forge.checks` does; the combined status has the newest of each name."""
        found = self._wire.get_all(f"{self._here}/commits/{commit}/status", "statuses")
        return tuple(CommitCheck(text(each, "context"), check_state(text(each, "status"))) for each in found)

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """Do as `Forge.comments` does; this list does not come in pages."""
        return tuple(map(comment, items(self._wire.get(f"{self._here}/issues/{number}/comments"))))

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """Do as `Forge.issues_by` does."""
        query = {"state": "open", "type": "issues", "created_by": author}
        return tuple(map(issue, self._wire.get_all(f"{self._here}/issues", **query)))


def _review(answer: Any) -> Review:
    return Review(
        reviewer=person(answer, "user"),
        word=_WORDS[text(answer, "state")],
        commit=text(answer, "commit_id"),
        official=flag(answer, "official"),
        stale=flag(answer, "stale"),
        dismissed=flag(answer, "dismissed"),
    )
