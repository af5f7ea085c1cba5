"""What the forges answer and accept alike: Gitea's interface was made after GitHub's."""

from typing import Any

from platformctl.errors import ToolError
from platformctl.forges.answers import commit, flag, number, person, text
from platformctl.forges.wire import Wire
from platformctl.model.forge import CheckState, ForgeComment, ForgeIssue, ForgeRepository, PullRequest
from platformctl.model.names import GitSha


class Alike:
    """The part of a `Forge` that does not depend on its kind; `runner` is the user that a workflow's own token has."""

    def __init__(self, wire: Wire, repository: ForgeRepository, runner: str) -> None:
        self._wire = wire
        self._here = f"/repos/{repository}"
        self._runner = runner

    def pull_request(self, number_: int) -> PullRequest:
        """Do as `Forge.pull_request` does.

        GitHub gives an open one the commit of a trial merge that nobody has seen; it is left out.
        """
        answer = self._wire.get(f"{self._here}/pulls/{number_}")
        return PullRequest(
            number=number(answer, "number"),
            author=person(answer, "user"),
            head=commit(answer, "head", "sha"),
            merge_commit=commit(answer, "merge_commit_sha") if flag(answer, "merged") else None,
            is_open=text(answer, "state") == "open",
        )

    def myself(self) -> str:
        """Do as `Forge.myself` does; a workflow's own token may not ask, so its user is taken for granted."""
        try:
            return text(self._wire.get("/user"), "login")
        except ToolError:
            return self._runner

    def post_comment(self, number: int, body: str) -> None:
        """Do as `Forge.post_comment` does."""
        self._wire.post(f"{self._here}/issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        """Do as `Forge.edit_comment` does."""
        self._wire.patch(f"{self._here}/issues/comments/{comment}", {"body": body})

    def set_check(self, commit: GitSha, name: str, state: CheckState, description: str, link: str) -> None:
        """Do as `Forge.set_check` does; the newest of one name counts, so it may be sent twice."""
        told = {"context": name, "state": state.value, "description": description, "target_url": link}
        self._wire.post_again(f"{self._here}/statuses/{commit}", {key: value for key, value in told.items() if value})

    def open_issue(self, title: str, body: str) -> int:
        """Do as `Forge.open_issue` does."""
        return number(self._wire.post(f"{self._here}/issues", {"title": title, "body": body}), "number")


def comment(answer: Any) -> ForgeComment:
    """Return a comment, which all forges list in the same form."""
    return ForgeComment(number(answer, "id"), person(answer, "user"), text(answer, "body"))


def issue(answer: Any) -> ForgeIssue:
    """Return an issue, which all forges list in the same form."""
    return ForgeIssue(number(answer, "number"), person(answer, "user"), text(answer, "title"))
