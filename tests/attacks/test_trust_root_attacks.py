"""Somebody wants back in: with a stale clone, an old word, a merged change nobody vouched for, or a key that was lost.

One host and its whole story, because what a host remembers is the point. Keys are rotated as docs/keys.md says.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.trust.keys import make_key, public_line
from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host, Lab
from tests.platform_repo import WEB, PlatformRepo
from tests.trust.workshop import ENVIRONMENT

PERSON = "ann@example.org"
SIGNERS, REVOKED = ".platform/allowed_signers", ".platform/revoked_keys"
ALL = "approval@platformctl,receipt@platformctl,trust@platformctl"
SLEEPER = {"services": {"api": {"image": "platformctl-lab/sleeper:1"}}}


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    chosen = lab.hosts[-1]
    yield chosen
    chosen.reset()


class Ann:
    """One person who rotates her key; `repo` is her clone."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.repo = PlatformRepo.create(folder, {"rs2000": host})
        self.old = self.repo.keys / "approver_ed25519"
        self.new = self.repo.keys / "new_ed25519"
        make_key(self.new, PERSON, ENVIRONMENT)

    def change(self, **lines: str) -> str:
        """Let allowed_signers have the planner and these lines; the commit is returned."""
        kept = [line for line in self.repo.root.joinpath(SIGNERS).read_text().splitlines() if "planner:" in line]
        self.repo.write(SIGNERS, "\n".join([*kept, *lines.values()]) + "\n")
        return self.repo.commit("other signers")

    def line(self, key: Path, namespaces: str = ALL) -> str:
        return f'{PERSON} namespaces="{namespaces}" {public_line(key, ENVIRONMENT)}'

    def vouch(self, since: str, key: Path, expect: int = 0) -> None:
        self.repo.run("approve", "--trust-change", since, "--key", key, expect=expect)
        self.repo.commit("vouched")

    def release(self, module: str, key: Path, *, expect: int, reason: str | None = None, clone: str = "") -> None:
        """Plan, approve and apply with one key, here or in another clone."""
        repo = replace(self.repo, environment={**self.repo.environment, "PLATFORMCTL_KEY": str(key)})
        where = ("-C", clone) if clone else ()
        head = repo.git(*where, "rev-parse", "HEAD").strip()
        plan, approval = (
            repo.folder / f"{module}{head[:6]}.plan.json",
            repo.folder / f"{module}{head[:6]}.approval.json",
        )
        repo.run(*where, "plan", module, "--out", plan, expect=1)
        repo.run(*where, "approve", plan, "--yes", "--out", approval, expect=0)
        ended = repo.run(*where, "apply", plan, "--approved-sha", head, "--approval", approval, "--json")
        if expect == 9:
            assert ended.code == 9, ended
        else:
            refusal(ended, expect, reason)

    def clone(self, name: str) -> str:
        where = self.repo.folder / name
        told = ("git", "clone", "--quiet", str(self.repo.root), str(where))
        subprocess.run(told, check=True, env=self.repo.environment)
        return str(where)


def tagged(tag: int) -> str:
    return str(WEB["services"]["web"]["image"]).replace(":1", f":{tag}")


def test_a_rotated_key_is_out_for_good_and_the_new_one_in(tmp_path: Path, host: Host) -> None:
    ann = Ann(tmp_path, host)
    repo = ann.repo
    repo.add_module("api", SLEEPER)
    first = repo.add_module("web", WEB)
    ann.release("web", ann.old, expect=9)
    stale = ann.clone("stale")

    # the change is merged, and nobody whom the host knows has vouched for it
    repo.add_module("web", {"services": {"web": {**WEB["services"]["web"], "image": tagged(2)}}})
    ann.change(new=ann.line(ann.new), old=ann.line(ann.old, "receipt@platformctl"))
    with untouched(host):
        ann.release("web", ann.new, expect=5, reason="trust_changed")
        repo.run("approve", "--trust-change", first, "--key", ann.new, expect=5)
    ann.vouch(first, ann.old)
    ann.release("web", ann.new, expect=9)

    # a clone of before still trusts the old key; the host does not, whatever it is asked for
    with untouched(host):
        ann.release("api", ann.old, expect=5, reason="trust_older", clone=stale)
        lifted = repo.run("-C", stale, "unquarantine", "web", "--reason", "x", "--key", ann.old, "--json")
        refusal(lifted, 5, "trust_older")

    # the old key comes back by a merge: its old word does not count again
    second = repo.head
    ann.change(old=ann.line(ann.old))
    with untouched(host):
        ann.release("api", ann.old, expect=5, reason="trust_changed")
    ann.change(new=ann.line(ann.new), old=ann.line(ann.old, "receipt@platformctl"))

    # and it is revoked, on the new one's word, at last
    repo.write(REVOKED, f"{public_line(ann.old, ENVIRONMENT)} lost\n")
    repo.commit("revoked")
    with untouched(host):
        ann.release("api", ann.new, expect=5, reason="trust_changed")
    ann.vouch(second, ann.new)
    ann.release("api", ann.new, expect=9)
    plan = repo.plan("web", expect=0)
    refusal(repo.run("approve", plan, "--yes", "--key", ann.old, "--json"), 5, "signer")
    shutil.rmtree(stale)
