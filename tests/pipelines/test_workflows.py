"""The whole way of a change through the workflow files, with a lab host and a forge: every `run:` block is run."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.model.forge import ForgeKind
from tests.forges.fake_forge import REPOSITORY, TOKEN, FakeForge, Pull, Said, running
from tests.lab import Host
from tests.pipelines.runner import Job, Runner
from tests.platform_repo import WEB, PlatformRepo, host_entry

WEB_2 = json.loads(json.dumps(WEB).replace("web:1", "web:2"))


@dataclass
class Scene:
    """A platform repository, its origin, the forge, and the runner that works for it."""

    repo: PlatformRepo
    forge: FakeForge
    runner: Runner

    @property
    def folder(self) -> str:
        return ".github/workflows" if self.forge.kind is ForgeKind.GITHUB else ".forgejo/workflows"

    @classmethod
    def set(cls, folder: Path, host: Host, forge: FakeForge, *, required: bool = True) -> "Scene":
        repo = PlatformRepo.create(folder, {"rs2000": host})
        where = {"kind": forge.kind.value, "url": forge.url, "repository": REPOSITORY}
        rule = {**where, "reviewers": ["ben"], "checks": ["plan"], "required": required}
        repo.write(".platform/policy.yaml", json.dumps({"approvals": {"required": 1}, "forge": rule}))
        repo.run("ci", "init", "--forge", forge.kind.value, "--from", "installed", expect=0)
        repo.commit("pipelines")
        origin = folder / "origin.git"
        repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(origin))
        repo.git("remote", "add", "origin", str(origin))
        repo.git("push", "--quiet", "origin", "main")
        repo.git("remote", "set-head", "origin", "main")
        secrets = {
            "PLATFORMCTL_PLANNER_KEY": (repo.keys / "planner_ed25519").read_text(),
            "PLATFORMCTL_APPLY_KEY": (repo.keys / "approver_ed25519").read_text(),
            "PLATFORMCTL_SSH_KEY": host.key_path.read_text(),
        }
        variables = {"PLATFORMCTL_RUNNER": "trusted"}
        runner = Runner(folder, origin, forge.url, REPOSITORY, TOKEN, secrets, variables)
        return cls(repo, forge, runner)

    def push(self, branch: str) -> str:
        self.repo.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        self.repo.git("fetch", "--quiet", "origin")
        return self.repo.head

    def planned(self, *, fork: bool = False) -> Job:
        head = {"sha": self.repo.head, "repo": {"full_name": "mallory/infra" if fork else REPOSITORY}}
        event = {"pull_request": {"number": 7, "head": head}}
        self.forge.pulls.setdefault(7, Pull("ann", self.repo.head)).head = self.repo.head
        return self.runner.run(f"{self.folder}/plan.yml", "plan", "pull_request", event, "topic")

    def published(self) -> Job:
        return self.runner.run(f"{self.folder}/plan.yml", "publish", "push", {}, "main")

    def applied(self, digest: str, **inputs: str) -> Job:
        given = {"approved_sha": self.repo.head, "plan_digest": digest, "host": "rs2000", "pull_request": "7"}
        event: Mapping[str, Any] = {"inputs": {**given, **inputs}}
        return self.runner.run(f"{self.folder}/apply.yml", "apply", "workflow_dispatch", event, "main")

    def compared(self) -> Job:
        return self.runner.run(f"{self.folder}/drift.yml", "drift", "schedule", {}, "main")

    def merge(self) -> str:
        """As a forge merges: a commit of its own on main."""
        topic = self.repo.head
        self.repo.git("checkout", "--quiet", "main")
        self.repo.git("merge", "--quiet", "--no-ff", "--message=merge #7", topic)
        self.forge.pulls[7].merged_as, self.forge.pulls[7].state = self.repo.head, "closed"
        return self.push("main")

    def approve(self) -> str:
        """A person looks at the one plan of the branch, approves it, and pushes the approval beside it."""
        there = self.repo.folder / "published"
        self.repo.git("fetch", "--quiet", "origin")
        self.repo.git("worktree", "add", "--quiet", "--detach", str(there), "origin/platformctl/plans")
        shown = {path: self.repo.run("show", path, "--json") for path in (there / "plans").glob("*.json")}
        ((path, ended),) = [(path, ended) for path, ended in shown.items() if ended.code == 0]  # the other is the index
        digest = str(ended.json["digest"]).removeprefix("sha256:")
        (there / "approvals" / digest).mkdir(parents=True)
        self.repo.run("approve", path, "--yes", "--out", there / "approvals" / digest / "ann.json", expect=0)
        for words in (["add", "approvals"], ["commit", "--quiet", "--message=approve"]):
            self.repo.git("-C", str(there), *words)
        self.repo.git("-C", str(there), "push", "--quiet", "origin", "HEAD:refs/heads/platformctl/plans")
        return digest


@pytest.mark.lab
@pytest.mark.parametrize(
    "kind", [ForgeKind.FORGEJO, pytest.param(ForgeKind.GITHUB, marks=pytest.mark.thorough)], ids=lambda kind: kind.value
)
def test_p44_from_a_pull_request_to_a_proven_release(tmp_path: Path, host: Host, kind: ForgeKind) -> None:
    with running(kind) as forge:
        scene = Scene.set(tmp_path, host, forge)
        scene.repo.git("checkout", "--quiet", "-b", "topic")
        scene.repo.add_module("web", WEB)
        first = scene.push("topic")

        job = scene.planned()
        assert job.succeeded, job
        assert job.outputs["plan"] == {"exit_code": "1", "changes": "true"}
        assert {"validate.sarif", "plan.sarif"} < set(job.artifacts["plan"])
        assert "1 to create" in job.summary
        assert f"commit={first}" in forge.comments[7][0].body

        scene.repo.add_module("web", WEB_2)
        second = scene.push("topic")
        assert scene.planned().succeeded
        (posted,) = forge.comments[7]
        assert f"commit={second}" in posted.body
        assert "web:2" in posted.body

        forge.pulls[7].reviews.append(Said("ben", "APPROVED", second))
        forge.checks[second] = {"plan": "success"}
        merged = scene.merge()
        job = scene.published()
        assert job.succeeded, job
        digest = scene.approve()

        job = scene.applied(digest)
        assert job.succeeded, job
        assert job.outputs["apply"]["exit_code"] == "9"
        assert host.http(8080)[1].strip() == "version 2"
        (posted,) = forge.comments[7]
        assert "✓ apply: applied" in posted.body
        assert "Stale" not in posted.body
        assert forge.checks[merged] == {"platformctl/apply": "success"}
        assert {"result.json", ".platform/state/modules/web.status.json"} < set(job.artifacts["outcome"])

        again = scene.applied(digest)
        assert not again.succeeded
        assert again.outputs["apply"]["exit_code"] == "7"
        assert "::error title=platformctl apply::7 STALE_PLAN" in str(again)
        kept = [*tmp_path.glob("run-*/**/*")]
        private = [path for path in kept if path.is_file() and b"OPENSSH PRIVATE KEY" in path.read_bytes()]
        assert private == []
        with suppress(FileNotFoundError, ProcessLookupError):  # gone, or waited for by nobody
            assert job.agent.read_bytes() == b""
        fresh = scene.repo.run("status", "web", "--json", expect=0).json["modules"][0]
        assert (fresh["source_sha"], fresh["in_step"]) == (merged, True)


@pytest.mark.lab
def test_what_was_published_by_another_name_is_not_applied(tmp_path: Path, host: Host) -> None:
    with running(ForgeKind.FORGEJO) as forge:
        scene = Scene.set(tmp_path, host, forge)
        scene.repo.add_module("web", WEB)
        scene.push("main")
        assert scene.published().succeeded
        digest = scene.approve()
        there = scene.repo.folder / "published"
        (there / "plans" / f"{'0' * 64}.json").write_bytes((there / "plans" / f"{digest}.json").read_bytes())
        for words in (["add", "plans"], ["commit", "--quiet", "--message=swap"]):
            scene.repo.git("-C", str(there), *words)
        scene.repo.git("-C", str(there), "push", "--quiet", "origin", "HEAD:refs/heads/platformctl/plans")

        swapped = scene.applied("0" * 64)
        elsewhere = scene.applied(digest, host="other")

        assert "another plan, or of another host" in str(swapped)
        assert "another plan, or of another host" in str(elsewhere)
        assert not any("Apply" in step.name for job in (swapped, elsewhere) for step in job.steps)
        assert host.docker("ps", "-aq") == ""


@pytest.mark.lab
def test_every_night_hosts_are_observed_and_what_was_changed_by_hand_becomes_one_issue(
    tmp_path: Path, host: Host
) -> None:
    with running(ForgeKind.FORGEJO) as forge:
        scene = Scene.set(tmp_path, host, forge, required=False)
        scene.repo.add_module("web", WEB)
        scene.push("main")
        scene.repo.deploy("web")

        job = scene.compared()
        assert job.succeeded, job
        assert job.outputs["drift"] == {"exit_code": "0", "changes": "false"}
        assert forge.issues == {}

        scene.repo.git("checkout", "--quiet", "-b", "topic")
        scene.repo.add_module("web", WEB_2)
        scene.push("topic")
        planned = scene.planned()
        assert planned.succeeded, planned
        assert "1 to recreate" in planned.summary  # seen by the observation that was published; nobody asked the host

        container = host.docker("ps", "-q").strip()
        host.docker("rm", "--force", container)
        for _ in range(2):
            assert scene.compared().outputs["drift"] == {"exit_code": "1", "changes": "true"}
        (number,) = forge.issues
        (posted,) = forge.comments[number]
        assert "web" in posted.body


@pytest.mark.lab
def test_a_host_that_is_silent_ends_the_job_red_and_hides_nothing_about_the_others(tmp_path: Path, host: Host) -> None:
    with running(ForgeKind.FORGEJO) as forge:
        scene = Scene.set(tmp_path, host, forge, required=False)
        scene.repo.hosts_file({"rs2000": host_entry(host), "gone": {**host_entry(host), "port": 1}})
        scene.repo.add_module("web", WEB)
        scene.push("main")
        scene.repo.deploy("web")
        scene.repo.add_module("away", {"services": {"away": WEB["services"]["web"]}}, host="gone")
        scene.repo.add_module("web", WEB_2)
        scene.push("main")
        host.docker("rm", "--force", host.docker("ps", "-q").strip())

        published, compared = scene.published(), scene.compared()

        assert published.outputs["plan"] == compared.outputs["drift"] == {"exit_code": "69", "changes": "true"}
        assert not published.succeeded
        assert not compared.succeeded
        plan = scene.repo.folder / f"published/plans/{scene.approve()}.json"
        assert scene.repo.run("show", plan, "--json", expect=0).json["plan"]["host"]["name"] == "rs2000"
        (number,) = forge.issues
        assert "web" in forge.comments[number][0].body
