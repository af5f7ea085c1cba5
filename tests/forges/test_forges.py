"""One suite that every kind of forge passes, against a server that behaves like it and knows Forgejo's own document."""

from collections.abc import Iterator
from typing import Any

import pytest

from platformctl.errors import ToolError, Usage
from platformctl.forges.interface import Forge
from platformctl.forges.table import forge_for
from platformctl.model.forge import CheckState, CommitCheck, ForgeKind, Word
from platformctl.model.names import GitSha
from platformctl.model.secret import Secret
from tests.forges.fake_forge import TOKEN, FakeForge, Pull, Said, running

HEAD, MERGED = GitSha("a" * 40), GitSha("b" * 40)


@pytest.fixture(params=list(ForgeKind), ids=lambda kind: kind.value)
def there(request: pytest.FixtureRequest) -> Iterator[FakeForge]:
    with running(request.param) as forge:
        yield forge


@pytest.fixture
def forge(there: FakeForge) -> Forge:
    return forge_for(there.address, Secret(TOKEN), pause=0.0)


def test_an_open_pull_request_has_a_head_and_was_not_merged_as_anything(there: FakeForge, forge: Forge) -> None:
    there.pulls[7] = Pull("ann", HEAD)

    found = forge.pull_request(7)

    assert (found.number, found.author, found.head, found.merge_commit, found.is_open) == (7, "ann", HEAD, None, True)


def test_a_merged_pull_request_says_as_what(there: FakeForge, forge: Forge) -> None:
    there.pulls[7] = Pull("ann", HEAD, merged_as=MERGED, state="closed")

    found = forge.pull_request(7)

    assert (found.merge_commit, found.is_open) == (MERGED, False)


def test_a_pull_request_of_nobody_has_no_author(there: FakeForge, forge: Forge) -> None:
    there.pulls[7] = Pull(None, HEAD)

    assert forge.pull_request(7).author == ""


def test_reviews_come_in_order_and_from_every_page(there: FakeForge, forge: Forge) -> None:
    objection = "CHANGES_REQUESTED" if there.kind is ForgeKind.GITHUB else "REQUEST_CHANGES"
    words = ["APPROVED", "COMMENT", objection, "PENDING", "APPROVED"]
    there.pulls[7] = Pull("ann", HEAD, reviews=[Said(f"r{n}", word, HEAD) for n, word in enumerate(words)])

    found = forge.reviews(7)

    assert [(each.reviewer, each.word) for each in found] == [
        ("r0", Word.APPROVED),
        ("r2", Word.OBJECTED),
        ("r4", Word.APPROVED),
    ]


@pytest.mark.parametrize("flag", ["stale", "dismissed"])
def test_what_the_forge_thinks_of_a_review_is_told(there: FakeForge, forge: Forge, flag: str) -> None:
    state = "DISMISSED" if there.kind is ForgeKind.GITHUB and flag == "dismissed" else "APPROVED"
    said = Said("ben", state, HEAD, **{flag: True})
    there.pulls[7] = Pull("ann", HEAD, reviews=[said])

    (found,) = forge.reviews(7)

    told_by_commit_alone = there.kind is ForgeKind.GITHUB and flag == "stale"
    assert getattr(found, flag) is not told_by_commit_alone


def test_checks_come_from_every_page_and_only_success_is_one(there: FakeForge, forge: Forge) -> None:
    states = {"a": "success", "b": "pending", "c": "failure", "d": "skipped", "e": "success"}
    there.checks[HEAD] = states

    found = forge.checks(HEAD)

    assert found == (
        CommitCheck("a", CheckState.SUCCESS),
        CommitCheck("b", CheckState.PENDING),
        CommitCheck("c", CheckState.FAILURE),
        CommitCheck("d", CheckState.FAILURE),
        CommitCheck("e", CheckState.SUCCESS),
    )


def test_a_commit_that_nothing_checked_has_no_checks(forge: Forge) -> None:
    assert forge.checks(HEAD) == ()


def test_a_comment_is_posted_found_and_edited(there: FakeForge, forge: Forge) -> None:
    for number in range(4):
        there.comment(7, "ann", f"hello {number}")
    forge.post_comment(7, "first")
    mine = forge.comments(7)[-1]
    forge.edit_comment(mine.id, "second")

    assert (mine.author, mine.body) == ("bot", "first")
    assert [each.body for each in forge.comments(7)][3:] == ["hello 3", "second"]


def test_a_check_is_set_twice_and_the_last_counts(there: FakeForge, forge: Forge) -> None:
    forge.set_check(HEAD, "platformctl/apply", CheckState.PENDING, "applying", "")
    forge.set_check(HEAD, "platformctl/apply", CheckState.SUCCESS, "applied " * 100, "https://forge.example/run/1")

    assert there.checks[HEAD] == {"platformctl/apply": "success"}


def test_an_issue_is_opened_and_found_by_who_opened_it(there: FakeForge, forge: Forge) -> None:
    there.pulls[7] = Pull("ann", HEAD)
    there.issues[50] = {"author": "mallory", "title": "drift", "body": ""}

    number = forge.open_issue("drift", "something differs")

    assert [(each.number, each.title) for each in forge.issues_by("bot")] == [(number, "drift")]


def test_who_writes_is_the_tokens_owner_or_the_runner_where_it_may_not_ask(there: FakeForge, forge: Forge) -> None:
    runner = {"github": "github-actions[bot]", "gitea": "gitea-actions", "forgejo": "forgejo-actions"}

    assert forge.myself() == "bot"
    there.hides_user = True
    assert forge.myself() == runner[there.kind.value]


def test_a_wrong_token_is_refused_without_being_shown(there: FakeForge) -> None:
    with pytest.raises(ToolError) as refused:
        forge_for(there.address, Secret("hunter2hunter2"), pause=0.0).pull_request(7)

    assert refused.value.summary == "a forge does not know the token"
    assert "hunter2" not in f"{refused.value.detail}{refused.value.hint}"


def test_a_pull_request_that_is_not_there_is_refused(forge: Forge) -> None:
    with pytest.raises(ToolError, match="has no such thing"):
        forge.pull_request(99)


@pytest.mark.parametrize("token", ["two words", "line\nend", "ünicode"])
def test_a_token_that_no_header_can_carry_is_refused_before_anything_is_asked(there: FakeForge, token: str) -> None:
    with pytest.raises(Usage):
        forge_for(there.address, Secret(token))
    assert there.asked == []


class Broken(FakeForge):
    """A forge whose pull requests lack something."""

    without: str = ""

    def answer(self, method: str, target: str, login: str | None, body: Any) -> tuple[int, Any]:
        status, answer = super().answer(method, target, login, body)
        return status, {key: value for key, value in answer.items() if key != self.without}


@pytest.mark.parametrize("field", ["number", "head", "merged", "state"])
def test_an_answer_that_lacks_something_is_refused_by_its_name(there: FakeForge, forge: Forge, field: str) -> None:
    there.pulls[7] = Pull("ann", HEAD)
    there.__class__, there.without = Broken, field  # type: ignore[attr-defined]

    with pytest.raises(ToolError, match="can not be understood") as refused:
        forge.pull_request(7)

    assert field in refused.value.detail
