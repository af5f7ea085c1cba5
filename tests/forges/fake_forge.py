"""A forge on this machine that behaves: pull requests, reviews, checks, comments and issues, in the words of each kind.

    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull(author="ann", head=SHA)
        forge.pulls[7].reviews.append(Said("ben", "APPROVED", SHA))
        forge.checks[SHA] = {"plan": "success"}
        forge.address, forge.comments[7], forge.asked

Who may write is known by token (`tokens`). What does not fit the published interface stands in `complaints` at the end,
and `running` fails with it.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from platformctl.model.forge import ForgeAddress, ForgeKind, ForgeRepository, ForgeUrl
from tests.forges import published

REPOSITORY = "platform/infra"
TOKEN = "f0rge-t0ken-0123456789"
PAGE = 3
"""Items of a page, whatever is asked for: a server may give fewer."""


@dataclass
class Said:
    """A review. The flags are Forgejo's."""

    reviewer: str | None
    state: str
    commit: str
    official: bool = True
    stale: bool = False
    dismissed: bool = False


@dataclass
class Pull:
    """A pull request."""

    author: str | None
    head: str
    merged_as: str | None = None
    state: str = "open"
    reviews: list[Said] = field(default_factory=list)


@dataclass
class Posted:
    """A comment."""

    id: int
    author: str
    body: str


@dataclass
class FakeForge:
    """What the forge knows, and what it was asked."""

    kind: ForgeKind
    port: int = 0
    tokens: dict[str, str] = field(default_factory=lambda: {TOKEN: "bot"})
    pulls: dict[int, Pull] = field(default_factory=dict)
    checks: dict[str, dict[str, str]] = field(default_factory=dict)
    comments: dict[int, list[Posted]] = field(default_factory=dict)
    issues: dict[int, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    hides_user: bool = False
    descriptions: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> ForgeAddress:
        """Where it is, for `forge_for`."""
        return ForgeAddress(self.kind, ForgeUrl.parse(self.url), ForgeRepository.parse(REPOSITORY))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def comment(self, number: int, author: str, body: str) -> Posted:
        """What somebody else wrote."""
        posted = Posted(sum(map(len, self.comments.values())) + 1, author, body)
        self.comments.setdefault(number, []).append(posted)
        return posted

    # --- answers -----------------------------------------------------------------------------------

    def answer(self, method: str, target: str, login: str | None, body: Any) -> tuple[int, Any]:
        """Status and answer to a question."""
        parts = urlsplit(target)
        bare = parts.path.removeprefix("/api/v3" if self._is_github else "/api/v1")
        if login is None:
            return 401, {"message": "token is required"}
        for (verb, pattern), handler in self._ROUTES.items():
            found = re.fullmatch(pattern, bare)
            if verb == method and found:
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                answer: tuple[int, Any] = handler(self, *found.groups(), login=login, query=query, body=body)
                return answer
        return 404, {"message": "not found"}

    @property
    def _is_github(self) -> bool:
        return self.kind is ForgeKind.GITHUB

    def _user(self, *, login: str, **_: Any) -> tuple[int, Any]:
        return (403, {"message": "no"}) if self.hides_user else (200, {"id": 1, "login": login})

    def _pull(self, number: str, **_: Any) -> tuple[int, Any]:
        pull = self.pulls.get(int(number))
        if pull is None:
            return 404, {"message": "not found"}
        trial = "0" * 40 if self._is_github and pull.state == "open" else None
        return 200, {
            "number": int(number),
            "user": _person(pull.author),
            "head": {"sha": pull.head, "ref": "topic"},
            "merged": pull.merged_as is not None,
            "merge_commit_sha": pull.merged_as or trial,
            "state": pull.state,
        }

    def _reviews(self, number: str, *, query: Mapping[str, str], **_: Any) -> tuple[int, Any]:
        return 200, _page([self._review(n, said) for n, said in enumerate(self.pulls[int(number)].reviews)], query)

    def _review(self, number: int, said: Said) -> dict[str, Any]:
        told = {
            "id": number + 1,
            "user": _person(said.reviewer),
            "state": said.state,
            "commit_id": said.commit,
            "submitted_at": f"2026-11-27T10:{number:02}:00Z",
        }
        if self._is_github:
            return told
        return {**told, "official": said.official, "stale": said.stale, "dismissed": said.dismissed}

    def _status(self, commit: str, *, query: Mapping[str, str], **_: Any) -> tuple[int, Any]:
        word = "state" if self._is_github else "status"
        known = [] if self._is_github else list(self.checks.get(commit, {}).items())
        shown = _page([{"context": name, word: state} for name, state in known], query)
        return 200, {"state": "success", "statuses": shown or None if not self._is_github else shown}

    def _check_runs(self, commit: str, *, query: Mapping[str, str], **_: Any) -> tuple[int, Any]:
        runs = [
            {"name": name, "status": "in_progress", "conclusion": None}
            if state == "pending"
            else {"name": name, "status": "completed", "conclusion": state}
            for name, state in self.checks.get(commit, {}).items()
        ]
        return 200, {"total_count": len(runs), "check_runs": _page(runs, query)}

    def _set_status(self, commit: str, *, body: Any, **_: Any) -> tuple[int, Any]:
        self.checks.setdefault(commit, {})[body["context"]] = body["state"]
        self.descriptions[commit] = body.get("description", "")
        return 201, {"context": body["context"]}

    def _list_comments(self, number: str, *, query: Mapping[str, str], **_: Any) -> tuple[int, Any]:
        found = [_comment(each) for each in self.comments.get(int(number), [])]
        return 200, _page(found, query) if self._is_github else found

    def _post_comment(self, number: str, *, login: str, body: Any, **_: Any) -> tuple[int, Any]:
        return 201, _comment(self.comment(int(number), login, body["body"]))

    def _edit_comment(self, identifier: str, *, login: str, body: Any, **_: Any) -> tuple[int, Any]:
        every = (each for posted in self.comments.values() for each in posted)
        posted = next((each for each in every if each.id == int(identifier)), None)
        if posted is None:
            return 404, {"message": "not found"}
        posted.body = body["body"]  # a workflow's token may edit what others wrote, too
        return 200, _comment(posted)

    def _list_issues(self, *, query: Mapping[str, str], **_: Any) -> tuple[int, Any]:
        by = query.get("creator" if self._is_github else "created_by")
        found = [
            {"number": number, "user": _person(issue["author"]), "title": issue["title"], "state": "open"}
            for number, issue in self.issues.items()
            if by in (None, issue["author"])
        ]
        pulls = [{"number": n, "user": _person("bot"), "title": "x", "pull_request": {}} for n in self.pulls]
        return 200, _page([*pulls, *found] if self._is_github else found, query)

    def _open_issue(self, *, login: str, body: Any, **_: Any) -> tuple[int, Any]:
        number = 100 + len(self.issues)
        self.issues[number] = {"author": login, "title": body["title"], "body": body["body"]}
        return 201, {"number": number, "title": body["title"], "user": _person(login)}

    _ROUTES: ClassVar[Mapping[tuple[str, str], Any]] = {
        ("GET", "/user"): _user,
        ("GET", f"/repos/{REPOSITORY}/pulls/(\\d+)"): _pull,
        ("GET", f"/repos/{REPOSITORY}/pulls/(\\d+)/reviews"): _reviews,
        ("GET", f"/repos/{REPOSITORY}/commits/([0-9a-f]+)/status"): _status,
        ("GET", f"/repos/{REPOSITORY}/commits/([0-9a-f]+)/check-runs"): _check_runs,
        ("POST", f"/repos/{REPOSITORY}/statuses/([0-9a-f]+)"): _set_status,
        ("GET", f"/repos/{REPOSITORY}/issues/(\\d+)/comments"): _list_comments,
        ("POST", f"/repos/{REPOSITORY}/issues/(\\d+)/comments"): _post_comment,
        ("PATCH", f"/repos/{REPOSITORY}/issues/comments/(\\d+)"): _edit_comment,
        ("GET", f"/repos/{REPOSITORY}/issues"): _list_issues,
        ("POST", f"/repos/{REPOSITORY}/issues"): _open_issue,
    }


@contextmanager
def running(kind: ForgeKind) -> Iterator[FakeForge]:
    """A forge that answers until the block ends, and fails it for a question that no such forge publishes."""
    forge = FakeForge(kind)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(forge))
    forge.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield forge
        assert forge.complaints == []
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
            wanted = "Bearer" if forge.kind is ForgeKind.GITHUB else "token"
            login = forge.tokens.get(token) if scheme == wanted else None
            forge.asked.append((self.command, self.path))
            status, answer = forge.answer(self.command, self.path, login, body)
            if forge.kind is ForgeKind.FORGEJO:
                forge.complaints += published.complaints(self.command, self.path, body)
                forge.complaints += published.answer_complaints(self.command, self.path, status, answer)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_GET  # noqa: N815 - the names are the base class's

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


def _page(items: list[Any], query: Mapping[str, str]) -> list[Any]:
    start = (int(query.get("page", "1")) - 1) * PAGE
    return items[start : start + PAGE]


def _person(login: str | None) -> dict[str, Any] | None:
    return None if login is None else {"id": 1, "login": login}


def _comment(posted: Posted) -> dict[str, Any]:
    return {"id": posted.id, "user": _person(posted.author), "body": posted.body}
