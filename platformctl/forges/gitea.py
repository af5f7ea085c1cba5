"""Forgejo and Gitea, whose interfaces are one as far as they are used here (`/api/v1`)."""

from typing import Any

from platformctl.errors import ToolError
from platformctl.forges.answers import check_state, commit, flag, items, moment, number, person, text
from platformctl.forges.wire import Wire, credentials
from platformctl.model.forge import (
    CheckState,
    CommitCheck,
    ForgeAddress,
    ForgeComment,
    ForgeIssue,
    ForgeKind,
    ForgeUrl,
    PullRequest,
    Review,
    Word,
)
from platformctl.model.names import GitSha
from platformctl.model.secret import Secret

_WORDS = {"APPROVED": Word.APPROVED, "REQUEST_CHANGES": Word.OBJECTED}
_RUNNER = {ForgeKind.FORGEJO: "forgejo-actions", ForgeKind.GITEA: "gitea-actions"}


class GiteaForge:
    """One repository on Forgejo or Gitea."""

    def __init__(self, address: ForgeAddress, token: Secret | None, **wire: Any) -> None:
        self._kind = address.kind
        self._wire = Wire(ForgeUrl(f"{address.url}/api/v1"), credentials("token", token), **wire)
        self._here = f"/repos/{address.repository}"

    def pull_request(self, number_: int) -> PullRequest:
        """As `Forge.pull_request`."""
        answer = self._wire.get(f"{self._here}/pulls/{number_}")
        merged = flag(answer, "merged")
        return PullRequest(
            number=number(answer, "number"),
            author=person(answer, "user"),
            head=commit(answer, "head", "sha"),
            merge_commit=commit(answer, "merge_commit_sha") if merged else None,
            is_open=text(answer, "state") == "open",
        )

    def reviews(self, number: int) -> tuple[Review, ...]:
        """As `Forge.reviews`; a review by a team has no person and does not count."""
        found = self._wire.get_all(f"{self._here}/pulls/{number}/reviews")
        decided = [each for each in found if text(each, "state") in _WORDS]
        return tuple(map(_review, sorted(decided, key=lambda each: moment(each, "submitted_at"))))

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """As `Forge.checks`; the combined status has the newest of each name."""
        found = self._wire.get_all(f"{self._here}/commits/{commit}/status", "statuses")
        return tuple(CommitCheck(text(each, "context"), check_state(text(each, "status"))) for each in found)

    def myself(self) -> str:
        """As `Forge.myself`; a workflow's own token may not ask, and writes under the runner's name."""
        try:
            return text(self._wire.get("/user"), "login")
        except ToolError:
            return _RUNNER[self._kind]

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """As `Forge.comments`; this list does not come in pages."""
        return tuple(map(_comment, items(self._wire.get(f"{self._here}/issues/{number}/comments"))))

    def post_comment(self, number: int, body: str) -> None:
        """As `Forge.post_comment`."""
        self._wire.post(f"{self._here}/issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        """As `Forge.edit_comment`."""
        self._wire.patch(f"{self._here}/issues/comments/{comment}", {"body": body})

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """As `Forge.set_check`."""
        told = {"context": name, "state": state.value, "description": description, "target_url": link}
        self._wire.post_again(f"{self._here}/statuses/{commit}", {key: value for key, value in told.items() if value})

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """As `Forge.issues_by`."""
        found = self._wire.get_all(f"{self._here}/issues", state="open", type="issues", created_by=author)
        return tuple(ForgeIssue(number(each, "number"), person(each, "user"), text(each, "title")) for each in found)

    def open_issue(self, title: str, body: str) -> int:
        """As `Forge.open_issue`."""
        return number(self._wire.post(f"{self._here}/issues", {"title": title, "body": body}), "number")


def _review(answer: Any) -> Review:
    return Review(
        reviewer=person(answer, "user"),
        word=_WORDS[text(answer, "state")],
        commit=text(answer, "commit_id"),
        official=flag(answer, "official"),
        stale=flag(answer, "stale"),
        dismissed=flag(answer, "dismissed"),
    )


def _comment(answer: Any) -> ForgeComment:
    return ForgeComment(number(answer, "id"), person(answer, "user"), text(answer, "body"))
