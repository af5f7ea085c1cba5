"""What was true when the plan was approved is no longer when it is applied: refused, each with a reason of its own.

One approved plan that nobody applied. Each attack changes the world between approval and apply, and puts it back.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from platformctl.trust.keys import fingerprint, public_line
from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host, Lab
from tests.platform_repo import WEB, PlatformRepo, host_entry
from tests.trust.workshop import ENVIRONMENT

pytestmark = pytest.mark.lab
SIGNERS, POLICY = ".platform/allowed_signers", ".platform/policy.yaml"


@dataclass(frozen=True)
class Scene:
    """A clone with one approved plan of the commit `sha`, and its host."""

    repo: PlatformRepo
    host: Host
    plan: Path
    sha: str

    def commit(self, path: str, text: str | None) -> None:
        """Merge one file with other bytes, or without it."""
        if text is None:
            (self.repo.root / path).unlink()
        else:
            self.repo.write(path, text)
        self.repo.commit("meanwhile")

    def read(self, path: str) -> str:
        return (self.repo.root / path).read_text()

    def keys(self) -> dict[str, str]:
        return {who: fingerprint(self.repo.keys / f"{who}_ed25519", ENVIRONMENT) for who in ("approver", "planner")}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Iterator[Scene]:
    host = lab.hosts[-1]
    repo = PlatformRepo.create(tmp_path_factory.mktemp("meanwhile"), {"rs2000": host})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)
    yield Scene(repo, host, plan, repo.head)
    host.reset()


def another_release_is_merged(scene: Scene) -> None:
    scene.commit("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))


def the_module_is_removed(scene: Scene) -> None:
    scene.commit("modules/web/module.yaml", None)


def the_commit_is_taken_back(scene: Scene) -> None:
    scene.repo.git("reset", "--quiet", "--hard", "HEAD~1")


def the_approver_leaves(scene: Scene) -> None:
    scene.commit(SIGNERS, "".join(x for x in scene.read(SIGNERS).splitlines(True) if not x.startswith("ann@")))


def the_planner_leaves(scene: Scene) -> None:
    scene.commit(SIGNERS, "".join(x for x in scene.read(SIGNERS).splitlines(True) if not x.startswith("planner:")))


def the_approvers_key_is_revoked(scene: Scene) -> None:
    scene.commit(".platform/revoked_keys", public_line(scene.repo.keys / "approver_ed25519", ENVIRONMENT) + "\n")


def the_approvers_key_runs_out(scene: Scene) -> None:
    scene.commit(SIGNERS, scene.read(SIGNERS).replace("ann@example.org ", 'ann@example.org valid-before="20260101",'))


def two_people_are_asked_for(scene: Scene) -> None:
    scene.commit(POLICY, scene.read(POLICY).replace("required: 1,", "required: 2,"))


def three_people_are_asked_for_by_a_label(scene: Scene) -> None:
    scene.repo.hosts_file({"rs2000": {**host_entry(scene.host), "labels": {"env": "prod"}}})
    scene.commit(POLICY, scene.read(POLICY).replace("required: 1,", "required: 1, per_label: {env=prod: 3},"))


def hardware_keys_are_asked_for(scene: Scene) -> None:
    scene.commit(POLICY, scene.read(POLICY).replace("required: 1,", "required: 1, hardware_only: true,"))


def the_image_is_no_longer_allowed(scene: Scene) -> None:
    scene.commit(POLICY, scene.read(POLICY).replace('allow: ["*"]', 'allow: ["ghcr.io/*"]'))


def its_port_is_forbidden(scene: Scene) -> None:
    scene.commit(POLICY, scene.read(POLICY) + 'services: {forbidden_ports: ["8080"]}\n')


def the_gate_is_closed(scene: Scene) -> None:
    scene.commit(POLICY, scene.read(POLICY).replace("phase: 5", "phase: 4"))


def the_host_leaves_the_list(scene: Scene) -> None:
    scene.repo.hosts_file({"other": host_entry(scene.host)})
    scene.repo.commit("meanwhile")


def the_host_moves(scene: Scene) -> None:
    scene.repo.hosts_file({"rs2000": {**host_entry(scene.host), "address": "192.0.2.1"}})
    scene.repo.commit("meanwhile")


def another_key_is_pinned(scene: Scene) -> None:
    scene.repo.hosts_file({"rs2000": {**host_entry(scene.host), "host_key": ["SHA256:" + "A" * 43]}})
    scene.repo.commit("meanwhile")


def nobody_knows_which_branch_is_trusted(scene: Scene) -> None:
    scene.repo.git("remote", "add", "origin", str(scene.repo.folder / "nowhere"))


def the_file_is_there_already_with_other_bytes(scene: Scene) -> None:
    scene.host.write("modules/web/compose.yaml", b"services: {web: {image: evil}}\n")


MEANWHILE: dict[Callable[[Scene], None], tuple[int, str, str]] = {
    another_release_is_merged: (7, "superseded", "changed by"),
    the_module_is_removed: (7, "superseded", "removed, or made unreadable, by"),
    the_commit_is_taken_back: (5, "not_merged", "is not an ancestor of"),
    the_approver_leaves: (5, "signer", "the key {approver} is not in"),
    the_planner_leaves: (5, "signer", "the key {planner} is not in"),
    the_approvers_key_is_revoked: (5, "signer", "the key of ann@example.org in .platform/allowed_signers was revoked"),
    the_approvers_key_runs_out: (5, "signer", "the key of ann@example.org in .platform/allowed_signers is not valid"),
    two_people_are_asked_for: (5, "approval_missing", "1 of 2 people"),
    three_people_are_asked_for_by_a_label: (5, "approval_missing", "1 of 3 people"),
    hardware_keys_are_asked_for: (5, "approval_missing", "0 of 1 people, with keys that can not leave their hardware"),
    the_image_is_no_longer_allowed: (4, "image-not-allowed", "no pattern of images.allow"),
    its_port_is_forbidden: (4, "port-forbidden", "takes port 8080"),
    the_gate_is_closed: (4, "phase", "phase 4"),
    the_host_leaves_the_list: (4, "host-allow-list", "rs2000 is not in .platform/hosts.yaml"),
    the_host_moves: (7, "host_entry_changed", "rs2000: address"),
    another_key_is_pinned: (7, "host_entry_changed", "rs2000: host_key"),
    nobody_knows_which_branch_is_trusted: (5, "trust_ref_missing", "names no commit here"),
    the_file_is_there_already_with_other_bytes: (7, "changed", "steps"),
}


def test_every_reason_is_another() -> None:
    assert len({(reason, words) for _, reason, words in MEANWHILE.values()}) == len(MEANWHILE)


@pytest.mark.parametrize("attack", MEANWHILE, ids=lambda attack: attack.__name__)
def test_meanwhile(scene: Scene, attack: Callable[[Scene], None]) -> None:
    repo = scene.repo
    try:
        attack(scene)
        with untouched(scene.host):
            ended = repo.run("apply", scene.plan, "--approved-sha", scene.sha, "--json")
        code, reason, words = MEANWHILE[attack]
        assert words.format(**scene.keys()) in refusal(ended, code, reason)["detail"]
    finally:
        repo.git("reset", "--quiet", "--hard", scene.sha)
        if "origin" in repo.git("remote"):
            repo.git("remote", "remove", "origin")
        scene.host.sh(f"rm -rf {scene.host.root}/modules")
