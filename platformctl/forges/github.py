"""GitHub, its own and those that companies keep (`/api/v3`)."""

from collections.abc import Iterator
from typing import Any

from platformctl.errors import ToolError
from platformctl.forges.answers import check_state, commit, flag, moment, number, person, text
from platformctl.forges.wire import Wire, credentials
from platformctl.model.forge import (
    CheckState,
    CommitCheck,
    ForgeAddress,
    ForgeComment,
    ForgeIssue,
    ForgeUrl,
    PullRequest,
    Review,
    Word,
)
from platformctl.model.names import GitSha
from platformctl.model.secret import Secret

_WORDS = {"APPROVED": Word.APPROVED, "CHANGES_REQUESTED": Word.OBJECTED, "DISMISSED": Word.APPROVED}
_RUNNER = "github-actions[bot]"
_DESCRIPTION = 140
"""Characters of a status's description that GitHub takes."""


class GitHubForge:
    """One repository on GitHub."""

    def __init__(self, address: ForgeAddress, token: Secret | None, **wire: Any) -> None:
        told: dict[str, Any] = {"accept": "application/vnd.github+json", "size": "per_page"}
        self._wire = Wire(_interface_of(address.url), credentials("Bearer", token), **told, **wire)
        self._here = f"/repos/{address.repository}"

    def pull_request(self, number_: int) -> PullRequest:
        """As `Forge.pull_request`; of an open one `merge_commit_sha` is a trial merge that nobody has seen."""
        answer = self._wire.get(f"{self._here}/pulls/{number_}")
        return PullRequest(
            number=number(answer, "number"),
            author=person(answer, "user"),
            head=commit(answer, "head", "sha"),
            merge_commit=commit(answer, "merge_commit_sha") if flag(answer, "merged") else None,
            is_open=text(answer, "state") == "open",
        )

    def reviews(self, number: int) -> tuple[Review, ...]:
        """As `Forge.reviews`; a dismissed one does not count, and neither does what the same person said before it."""
        found = self._wire.get_all(f"{self._here}/pulls/{number}/reviews")
        decided = [each for each in found if text(each, "state") in _WORDS]
        return tuple(map(_review, sorted(decided, key=lambda each: moment(each, "submitted_at"))))

    def checks(self, commit: GitSha) -> tuple[CommitCheck, ...]:
        """As `Forge.checks`: check runs, and the statuses that other programs set."""
        return (*self._runs(commit), *self._statuses(commit))

    def _runs(self, commit: GitSha) -> Iterator[CommitCheck]:
        for each in self._wire.get_all(f"{self._here}/commits/{commit}/check-runs", "check_runs", filter="latest"):
            ended = text(each, "status") == "completed"
            yield CommitCheck(
                text(each, "name"), check_state(text(each, "conclusion")) if ended else CheckState.PENDING
            )

    def _statuses(self, commit: GitSha) -> Iterator[CommitCheck]:
        for each in self._wire.get_all(f"{self._here}/commits/{commit}/status", "statuses"):
            yield CommitCheck(text(each, "context"), check_state(text(each, "state")))

    def myself(self) -> str:
        """As `Forge.myself`; a workflow's own token may not ask, and writes under the runner's name."""
        try:
            return text(self._wire.get("/user"), "login")
        except ToolError:
            return _RUNNER

    def comments(self, number: int) -> tuple[ForgeComment, ...]:
        """As `Forge.comments`."""
        return tuple(map(_comment, self._wire.get_all(f"{self._here}/issues/{number}/comments")))

    def post_comment(self, number: int, body: str) -> None:
        """As `Forge.post_comment`."""
        self._wire.post(f"{self._here}/issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        """As `Forge.edit_comment`."""
        self._wire.patch(f"{self._here}/issues/comments/{comment}", {"body": body})

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """As `Forge.set_check`."""
        told = {
            "context": name,
            "state": state.value,
            "description": description[:_DESCRIPTION],
            "target_url": link,
        }
        self._wire.post_again(f"{self._here}/statuses/{commit}", {key: value for key, value in told.items() if value})

    def issues_by(self, author: str) -> tuple[ForgeIssue, ...]:
        """As `Forge.issues_by`; GitHub lists pull requests among the issues."""
        found = self._wire.get_all(f"{self._here}/issues", state="open", creator=author)
        issues = (each for each in found if "pull_request" not in each)
        return tuple(ForgeIssue(number(each, "number"), person(each, "user"), text(each, "title")) for each in issues)

    def open_issue(self, title: str, body: str) -> int:
        """As `Forge.open_issue`."""
        return number(self._wire.post(f"{self._here}/issues", {"title": title, "body": body}), "number")


def _interface_of(url: ForgeUrl) -> ForgeUrl:
    return ForgeUrl("https://api.github.com" if url == "https://github.com" else f"{url}/api/v3")


def _review(answer: Any) -> Review:
    state = text(answer, "state")
    dismissed = state == "DISMISSED"
    return Review(person(answer, "user"), _WORDS[state], text(answer, "commit_id"), dismissed=dismissed)


def _comment(answer: Any) -> ForgeComment:
    return ForgeComment(number(answer, "id"), person(answer, "user"), text(answer, "body"))
