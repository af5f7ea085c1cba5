"""One comment a host below a pull request, the issue of what drifted, and the status of a commit."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platformctl.model.forge import ForgeKind
from tests.forges.fake_forge import REPOSITORY, TOKEN, FakeForge, Pull, running
from tests.platform_repo import WEB, Ended, PlatformRepo

APPLIED = {
    "schema_version": 1,
    "command": "apply",
    "exit_code": 9,
    "outcome": "applied",
    "mutated": "yes",
    "plan_digest": None,
    "source_sha": None,
    "hosts": ["local"],
    "modules": [],
    "reason": "",
    "canary": "passed",
}


@pytest.fixture(params=list(ForgeKind), ids=lambda kind: kind.value)
def forge(request: pytest.FixtureRequest, repo: PlatformRepo) -> Iterator[FakeForge]:
    with running(request.param) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        yield forge


@pytest.fixture
def one(repo: PlatformRepo) -> Iterator[FakeForge]:
    """A forge of the kind that is used most."""
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        yield forge


def asked(repo: PlatformRepo, forge: FakeForge, *words: str | Path, expect: int = 0, **more: str) -> Ended:
    """A command on a runner of that forge."""
    runner = {"GITHUB_SERVER_URL": forge.url, "GITHUB_REPOSITORY": REPOSITORY, f"{forge.kind.name}_TOKEN": TOKEN}
    ended = repo.run(*words, "--forge", forge.kind.value, expect=expect, **{**runner, **more})
    assert TOKEN not in ended.stdout + ended.stderr
    return ended


def comment(repo: PlatformRepo, forge: FakeForge, *words: str | Path, **more: Any) -> Any:
    return asked(repo, forge, "comment", "--pr", "7", "--json", *words, **more).json.get("details")


def test_a_plan_is_shown_once_and_edited_in_place(repo: PlatformRepo, forge: FakeForge, speculative: Path) -> None:
    forge.comment(7, "ann", "looks good to me")

    assert comment(repo, forge, speculative) == {"local": "posted"}
    first = forge.comments[7][1].body
    assert comment(repo, forge, speculative) == {"local": "unchanged"}
    forge.pulls[7].head = "c" * 40
    assert comment(repo, forge, speculative) == {"local": "edited"}

    assert [each.author for each in forge.comments[7]] == ["ann", "bot"]
    assert first.startswith(f"<!-- platformctl host=local commit={repo.head} -->\n### platformctl: `local`\n")
    assert "1 to create" in first
    assert "Stale" not in first
    assert (
        f"**Stale**: made for `{repo.head[:12]}`, and the pull request is at `cccccccccccc`"
        in forge.comments[7][1].body
    )


def test_a_comment_does_not_say_of_what_it_can_not_know_that_nothing_failed(tmp_path: Path) -> None:
    """Only plans have files: of a module that got none a comment knows nothing."""
    repo = PlatformRepo.create(tmp_path)
    repo.add_module("web", WEB, host="local")
    repo.add_module("bad", {"services": {"bad": {"image": "x:1", "privileged": True}}}, host="local")
    made = repo.run("plan", "--all", "--offline", "--json", expect=4).json
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        comment(repo, forge, repo.root / made["index"])
        (told,) = forge.comments[7]

    assert len(made["failed"]) == 1
    assert "**Plan: 1 to change; only the run itself tells what got no plan**" in told.body
    assert "unchanged" not in told.body
    assert "failed" not in told.body


def test_of_two_comments_the_older_one_is_edited_in_whatever_order_they_are_listed(
    repo: PlatformRepo, one: FakeForge, speculative: Path
) -> None:
    """Two runs at once may each have posted one."""
    comment(repo, one, speculative)
    (first,) = one.comments[7]
    second = one.comment(7, first.author, first.body)
    one.comments[7].reverse()
    one.pulls[7].head = "c" * 40

    assert comment(repo, one, speculative) == {"local": "edited"}
    assert ("Stale" in first.body, "Stale" in second.body) == (True, False)


def test_a_host_without_a_plan_at_the_new_head_has_none_to_be_read(
    repo: PlatformRepo, one: FakeForge, speculative: Path
) -> None:
    comment(repo, one, speculative)
    one.pulls[7].head = "c" * 40

    assert comment(repo, one) == {"local": "edited"}
    body = one.comments[7][0].body
    assert "**Stale**" in body
    assert "to create" not in body
    assert comment(repo, one) == {"local": "unchanged"}


def test_what_was_merged_is_not_stale_and_says_what_came_of_it(
    repo: PlatformRepo, one: FakeForge, speculative: Path, tmp_path: Path
) -> None:
    comment(repo, one, speculative)
    one.pulls[7] = Pull("ann", "c" * 40, merged_as=repo.head, state="closed")
    result = tmp_path / "result.json"
    result.write_text(json.dumps(APPLIED))

    assert comment(repo, one, speculative, "--result", result) == {"local": "edited"}
    body = one.comments[7][0].body
    assert "Stale" not in body
    assert "✓ apply: applied" in body
    assert "exit: 9 APPLIED" in body
    assert "canary: passed" in body


def test_an_index_stands_for_its_plans_and_each_host_has_its_comment(tmp_path: Path) -> None:
    repo = PlatformRepo.create(tmp_path)
    text = (repo.root / ".platform/hosts.yaml").read_text()
    repo.write(".platform/hosts.yaml", text + text.splitlines()[-1].replace("local:", "other:", 1) + "\n")
    repo.add_module("web", WEB, host="local")
    repo.add_module("shop", {"services": {"shop": {"image": "platformctl-lab/web:1"}}}, host="other")
    report = repo.run("plan", "--all", "--offline", "--json", expect=1).json
    files = sorted((repo.root / ".platform/plans").glob("*.json"))
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)

        assert len(files) == len(report["plans"]) + 1 == 3
        assert comment(repo, forge, *files) == {"local": "posted", "other": "posted"}
        assert [each.body.count("<details>") for each in forge.comments[7]] == [1, 1]


def test_an_index_of_a_newer_version_keeps_no_other_plan_from_being_shown(repo: PlatformRepo) -> None:
    report = repo.run("plan", "--all", "--offline", "--json", expect=1).json
    (plan,) = (repo.root / each["path"] for each in report["plans"])
    index = repo.root / report["index"]
    sealed = json.loads(index.read_text())
    payload = b64decode(sealed["payload"]).replace(b'"1.0"', b'"2.0"', 1)
    index.write_text(json.dumps({**sealed, "payload": b64encode(payload).decode()}))

    assert repo.run("show", plan, "--json", expect=0).json["digest"] == report["plans"][0]["digest"]


# --- what is refused ------------------------------------------------------------------------------


def test_without_a_token_nothing_is_asked(repo: PlatformRepo, one: FakeForge, speculative: Path) -> None:
    ended = asked(repo, one, "comment", "--pr", "7", speculative, "--json", expect=2, FORGEJO_TOKEN="")

    assert "FORGEJO_TOKEN" in ended.json["error"]["detail"]
    assert one.asked == []


@pytest.mark.parametrize("name", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY"])
def test_a_forge_that_is_not_said_is_asked_for(
    repo: PlatformRepo, one: FakeForge, speculative: Path, name: str
) -> None:
    assert asked(repo, one, "comment", "--pr", "7", speculative, "--json", expect=2, **{name: ""}).json["error"]["hint"]


@pytest.mark.parametrize("url", ["http://forge.example", "https://ann:pw@forge.example", "file:///etc"])
def test_a_token_is_not_sent_in_the_clear(repo: PlatformRepo, one: FakeForge, speculative: Path, url: str) -> None:
    asked(repo, one, "comment", "--pr", "7", speculative, "--forge-url", url, expect=65)


def test_a_pull_request_that_is_not_there_is_told(repo: PlatformRepo, one: FakeForge, speculative: Path) -> None:
    ended = asked(repo, one, "comment", "--pr", "8", speculative, "--json", expect=3)

    assert ended.json["error"]["reason"] == "forge"
    assert one.comments == {}


def test_a_forge_that_does_not_answer_is_69(repo: PlatformRepo, speculative: Path) -> None:
    with running(ForgeKind.FORGEJO) as gone:
        pass
    ended = asked(repo, gone, "comment", "--pr", "7", speculative, "--json", expect=69)

    assert ended.json["error"]["reason"] == "forge"


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({**APPLIED, "exit_code": 99}), "{" * 1000])
def test_what_is_no_outcome_is_refused(
    repo: PlatformRepo, one: FakeForge, speculative: Path, tmp_path: Path, content: str
) -> None:
    result = tmp_path / "result.json"
    result.write_text(content)
    asked(repo, one, "comment", "--pr", "7", speculative, "--result", result, expect=65)

    assert one.comments == {}


@pytest.mark.parametrize("words", [(), ("--pr", "7", "--issue", "drift"), ("--issue", "drift"), ("--pr", "0")])
def test_it_must_be_said_where(repo: PlatformRepo, one: FakeForge, words: tuple[str, ...]) -> None:
    asked(repo, one, "comment", *words, expect=2)


# --- an issue -------------------------------------------------------------------------------------


def test_one_issue_is_opened_and_kept_up_to_date(repo: PlatformRepo, forge: FakeForge, tmp_path: Path) -> None:
    text = tmp_path / "drift.md"
    for said in ("one differs", "two differ"):
        text.write_text(said)
        asked(repo, forge, "comment", "--issue", "drift", "--text", text)

    (number,) = forge.issues
    assert forge.issues[number]["title"] == "drift"
    assert [each.body for each in forge.comments[number]] == ["<!-- platformctl note -->\ntwo differ"]


# --- a status -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "state"), [(9, "success"), (0, "success"), (1, "success"), (5, "failure"), (8, "failure"), (11, "failure")]
)
def test_p40_a_status_says_how_a_run_ended(
    repo: PlatformRepo, one: FakeForge, tmp_path: Path, code: int, state: str
) -> None:
    result = tmp_path / "result.json"
    result.write_text(json.dumps({**APPLIED, "exit_code": code}))
    asked(repo, one, "status-check", "--sha", repo.head, "--result", result)

    assert one.checks[repo.head] == {"platformctl/apply": state}
    assert "canary passed" in one.descriptions[repo.head]


def test_a_status_can_be_set_by_hand(repo: PlatformRepo, forge: FakeForge) -> None:
    words = ("--context", "platformctl/plan", "--state", "pending", "--link", "https://forge.example/run/1")
    asked(repo, forge, "status-check", "--sha", repo.head, *words)

    assert forge.checks[repo.head] == {"platformctl/plan": "pending"}


@pytest.mark.parametrize(("sha", "words"), [("HEAD", ("--state", "success")), ("", ()), ("", ("--state", "green"))])
def test_a_status_needs_a_whole_commit_and_a_state(
    repo: PlatformRepo, one: FakeForge, sha: str, words: tuple[str, ...]
) -> None:
    asked(repo, one, "status-check", "--sha", sha or repo.head, *words, expect=65 if sha else 2)

    assert one.checks == {}
