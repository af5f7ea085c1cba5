"""What the forges answer and take alike: Gitea's interface was made after GitHub's."""

from typing import Any

from platformctl.errors import ToolError
from platformctl.forges.answers import commit, flag, number, person, text
from platformctl.forges.wire import Wire
from platformctl.model.forge import CheckState, ForgeComment, ForgeIssue, ForgeRepository, PullRequest
from platformctl.model.names import GitSha


class Alike:
    """The part of a `Forge` that does not depend on its kind; `runner` is who a workflow's own token writes as."""

    def __init__(self, wire: Wire, repository: ForgeRepository, runner: str) -> None:
        self._wire = wire
        self._here = f"/repos/{repository}"
        self._runner = runner

    def pull_request(self, number_: int) -> PullRequest:
        """As `Forge.pull_request`; of an open one GitHub names a trial merge that nobody has seen."""
        answer = self._wire.get(f"{self._here}/pulls/{number_}")
        return PullRequest(
            number=number(answer, "number"),
            author=person(answer, "user"),
            head=commit(answer, "head", "sha"),
            merge_commit=commit(answer, "merge_commit_sha") if flag(answer, "merged") else None,
            is_open=text(answer, "state") == "open",
        )

    def myself(self) -> str:
        """As `Forge.myself`; a workflow's own token may not ask."""
        try:
            return text(self._wire.get("/user"), "login")
        except ToolError:
            return self._runner

    def post_comment(self, number: int, body: str) -> None:
        """As `Forge.post_comment`."""
        self._wire.post(f"{self._here}/issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        """As `Forge.edit_comment`."""
        self._wire.patch(f"{self._here}/issues/comments/{comment}", {"body": body})

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """As `Forge.set_check`; the newest of one name counts, so that it may be said twice."""
        told = {"context": name, "state": state.value, "description": description, "target_url": link}
        self._wire.post_again(f"{self._here}/statuses/{commit}", {key: value for key, value in told.items() if value})

    def open_issue(self, title: str, body: str) -> int:
        """As `Forge.open_issue`."""
        return number(self._wire.post(f"{self._here}/issues", {"title": title, "body": body}), "number")


def comment(answer: Any) -> ForgeComment:
    """A comment as both list it."""
    return ForgeComment(number(answer, "id"), person(answer, "user"), text(answer, "body"))


def issue(answer: Any) -> ForgeIssue:
    """An issue as both list it."""
    return ForgeIssue(number(answer, "number"), person(answer, "user"), text(answer, "title"))
