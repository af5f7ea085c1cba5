"""`apply --approved-pr` against a forge: what it refuses never reaches the host, and what it accepts is applied."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platformctl.model.forge import ForgeKind
from tests.e2e.refusals import refusal
from tests.forges.fake_forge import TOKEN, FakeForge, Pull, Said, running
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo

OTHER = "c" * 40
Spoil = Callable[[FakeForge, str], None]


def policy(forge: FakeForge, **more: Any) -> str:
    rule = {"kind": forge.kind.value, "url": forge.url, "repository": "platform/infra", "reviews": 2}
    named = {"reviewers": ["ann", "ben", "cleo"], "checks": ["plan"], **more}
    return json.dumps({"approvals": {"required": 1}, "forge": {**rule, **named}})


def good(forge: FakeForge, head: str) -> None:
    forge.pulls[7] = Pull("ann", head, reviews=[Said("ben", "APPROVED", head), Said("cleo", "APPROVED", head)])
    forge.checks[head] = {"plan": "success"}


def pushed_over(forge: FakeForge, _: str) -> None:
    forge.pulls[7].head = OTHER


def checked_red(forge: FakeForge, head: str) -> None:
    forge.checks[head]["plan"] = "failure"


def approved_by_one(forge: FakeForge, _: str) -> None:
    del forge.pulls[7].reviews[1]


def approved_by_the_author(forge: FakeForge, _: str) -> None:
    forge.pulls[7].reviews[1].reviewer = "ann"


def approved_before_a_push(forge: FakeForge, _: str) -> None:
    forge.pulls[7].reviews[1].commit = OTHER


def gone(forge: FakeForge, _: str) -> None:
    del forge.pulls[7]


def token_revoked(forge: FakeForge, _: str) -> None:
    forge.tokens.clear()


SPOILT: dict[Spoil, str] = {
    pushed_over: "pr_commit",
    checked_red: "pr_checks",
    approved_by_one: "pr_reviews",
    approved_by_the_author: "pr_reviews",
    approved_before_a_push: "pr_reviews",
    gone: "pr_unknown",
    token_revoked: "pr_unknown",
}


@pytest.mark.lab
@pytest.mark.parametrize(
    "kind", [ForgeKind.FORGEJO, pytest.param(ForgeKind.GITHUB, marks=pytest.mark.thorough)], ids=lambda kind: kind.value
)
def test_only_a_pull_request_that_agrees_lets_a_plan_run(tmp_path: Path, host: Host, kind: ForgeKind) -> None:
    with running(kind) as forge:
        repo = PlatformRepo.create(tmp_path, {"rs2000": host})
        repo.write(".platform/policy.yaml", policy(forge, required=True))
        repo.add_module("web", WEB)
        plan = repo.plan("web")
        repo.approve(plan)
        words = ("apply", plan, "--approved-sha", repo.head, "--json")
        token = {f"{kind.name}_TOKEN": TOKEN}

        refusal(repo.run(*words, expect=None, stdin="", **token), 5, "pr_missing")
        for spoil, reason in SPOILT.items():
            good(forge, repo.head)
            forge.tokens[TOKEN] = "bot"
            spoil(forge, repo.head)
            ended = repo.run(*words, "--approved-pr", "7", expect=None, stdin="", **token)
            refusal(ended, 5, reason)
            assert TOKEN not in ended.stdout + ended.stderr
        good(forge, repo.head)
        forge.tokens[TOKEN] = "bot"
        assert host.docker("ps", "-aq") == ""
        report = repo.run(*words, "--approved-pr", "7", expect=9, **token).json

    assert report["warnings"] == []
    assert repo.run("history", "web", "--json", expect=0).json["rows"][0]["pull_request"] == 7
