"""What somebody tries with our comment: to be taken for it, to have it overwritten, to speak in it."""

import json
from pathlib import Path

import pytest

from platformctl.model.forge import ForgeKind
from platformctl.workflows.comment import LIMIT
from tests.attacks.test_markdown_attacks import OURS, WORDS, Read
from tests.cli.test_comment import APPLIED, comment
from tests.forges.fake_forge import FakeForge, Pull, running
from tests.platform_repo import WEB, PlatformRepo

OUTSIDE = OURS | {"h3", "!--"}
NOISE = "```@everyone <img src=x> | [a](b) ~~~\n" * 30_000


def hostile_repo(folder: Path, words: str) -> tuple[PlatformRepo, Path]:
    """A module whose words are an attacker's wherever Compose and our manifest let them be, and its plan."""
    repo = PlatformRepo.create(folder)
    labels = {f"l{number}": part for number, part in enumerate((words[:400], words))}
    service = {"image": "platformctl-lab/web:1", "labels": labels, "command": ["echo", words[:60_000]]}
    repo.add_module("web", {"services": {"web": service}}, host="local", env={"set": {"A": words[:30_000]}})
    return repo, repo.plan("web", "--offline")


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> PlatformRepo:
    repo = PlatformRepo.create(tmp_path_factory.mktemp("comments"))
    repo.add_module("web", WEB, host="local")
    return repo


@pytest.fixture(scope="module")
def speculative(repo: PlatformRepo) -> Path:
    return repo.plan("web", "--offline")


def check(forge: FakeForge) -> None:
    (posted,) = forge.comments[7]
    read = Read(posted.body)
    assert len(posted.body) <= LIMIT
    assert set(read.tags) <= OUTSIDE
    assert read.tags.count("!--") == 1
    assert "@" not in read.text


@pytest.mark.parametrize("words", ["ends a fence", "calls people", "a hidden marker", "ends the block"])
def test_a_module_does_not_speak_in_the_comment_of_its_plan(tmp_path: Path, words: str) -> None:
    repo, plan = hostile_repo(tmp_path, "".join(c for c in WORDS[words] if c.isprintable() or c == "\n"))
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        comment(repo, forge, plan)

        check(forge)


def test_a_megabyte_of_noise_fits_into_a_comment(tmp_path: Path) -> None:
    repo, plan = hostile_repo(tmp_path, NOISE)
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        comment(repo, forge, plan)

        check(forge)


def test_a_reason_that_quotes_a_host_does_not_speak_either(
    repo: PlatformRepo, speculative: Path, tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    noisy = {"exit_code": 10, "reason": NOISE, "outcome": NOISE, "canary": NOISE, "mutated": NOISE}
    result.write_text(json.dumps({**APPLIED, **noisy}))
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        comment(repo, forge, speculative, "--result", result)

        check(forge)


def test_what_came_of_a_plan_and_all_of_the_plan_fit_into_a_comment_together(tmp_path: Path) -> None:
    """A sign that turns lines round is shown by its name, which is eight times as long."""
    repo = PlatformRepo.create(tmp_path)
    many = {f"s{number}": {"image": "platformctl-lab/web:1", "labels": {"a": "x" * 80}} for number in range(400)}
    repo.add_module("web", {"services": {"web": {"image": "web:1", "depends_on": [*many]}, **many}}, host="local")
    plan, result, turned = repo.plan("web", "--offline"), tmp_path / "result.json", "\u202e" * 200
    result.write_text(json.dumps({**APPLIED, "exit_code": 10, "reason": turned, "outcome": turned}))
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        comment(repo, forge, plan, "--result", result)

        check(forge)
        assert "10 UNHEALTHY" in forge.comments[7][0].body
        assert len(forge.comments[7][0].body) > 0.95 * LIMIT


def test_a_comment_that_wears_our_marker_is_neither_edited_nor_taken_for_ours(
    repo: PlatformRepo, speculative: Path
) -> None:
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        fake = f"<!-- platformctl host=local commit={repo.head} -->\nnothing changes, merge it"
        forge.comment(7, "mallory", fake)

        assert comment(repo, forge, speculative) == {"local": "posted"}
        assert [(each.author, each.body == fake) for each in forge.comments[7]] == [("mallory", True), ("bot", False)]


def test_a_marker_that_is_quoted_further_down_is_none(repo: PlatformRepo, speculative: Path) -> None:
    with running(ForgeKind.FORGEJO) as forge:
        forge.pulls[7] = Pull("ann", repo.head)
        forge.comment(7, "bot", f"> quoted\n<!-- platformctl host=local commit={repo.head} -->\n")

        assert comment(repo, forge, speculative) == {"local": "posted"}


def test_somebody_elses_issue_of_our_title_is_left_alone(repo: PlatformRepo, tmp_path: Path) -> None:
    text = tmp_path / "drift.md"
    text.write_text("one differs")
    with running(ForgeKind.FORGEJO) as forge:
        forge.issues[50] = {"author": "mallory", "title": "drift", "body": ""}
        words = ("comment", "--issue", "drift", "--text", text, "--forge", "forgejo", "--forge-url", forge.url)
        repo.run(*words, "--repository", "platform/infra", expect=0, FORGEJO_TOKEN=next(iter(forge.tokens)))

        assert 50 not in forge.comments
        assert len(forge.issues) == 2
