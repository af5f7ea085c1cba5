"""Somebody who has a plan, an approval or even the planner's key wants something else to run than what was approved."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from platformctl.model import approval as approval_model
from platformctl.model import plan as model
from platformctl.model import strict_json
from platformctl.model.moment import Moment
from platformctl.model.names import Digest, GitSha, ModuleId, ServiceName
from platformctl.trust import envelope
from platformctl.trust.keys import make_key
from platformctl.trust.plan_codec import encode_plan
from tests.attacks.scene import ENVIRONMENT, HOUR, Scene, the_plan
from tests.e2e.refusals import refusal
from tests.e2e.witness import untouched
from tests.lab import Host
from tests.platform_repo import WEB, PlatformRepo, host_entry


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_plan(scene: Scene, part: float) -> None:
    content = scene.plan.read_bytes().rstrip()
    error = scene.apply(content[: int(len(content) * part)], 65)
    assert error["file"].endswith("forged.json")


def test_one_byte_of_the_payload(scene: Scene) -> None:
    """P9: each of a spread of single bytes, the envelope kept whole."""
    good = scene.good
    for at in range(10, len(good.payload), len(good.payload) // 12):
        changed = bytearray(good.payload)
        changed[at] ^= 1
        scene.apply(envelope.write(replace(good, payload=bytes(changed))), 5, "signature")


def test_one_byte_of_the_signature(scene: Scene) -> None:
    """The armour is malleable, so a flip may leave the signature as it is; then the plan is too."""
    (signature,) = scene.good.signatures
    body = signature.armour.split(b"\n")
    body[2] = body[2][::-1]
    forged = replace(signature, armour=b"\n".join(body))
    assert scene.apply(envelope.write(replace(scene.good, signatures=(forged,))), 5)["reason"] in (
        "signature",
        "signer",
    )


def test_another_payload_type(scene: Scene) -> None:
    """An approval is no plan, an index neither, and what was signed as one thing is not read as another."""
    for kind in (model.INDEX_PAYLOAD_TYPE, approval_model.PAYLOAD_TYPE, "text/plain"):
        assert scene.apply(envelope.write(replace(scene.good, payload_type=kind)), 5)["reason"]


def test_a_strangers_signature(scene: Scene, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger", "planner:ci", ENVIRONMENT)
    scene.apply(envelope.write(scene.forge(scene.good.payload, key=tmp_path / "stranger")), 5, "signer")


def test_an_approver_who_plans(scene: Scene) -> None:
    """The approver's key is not a planner's."""
    forged = scene.forge(scene.good.payload, key=scene.repo.keys / "approver_ed25519")
    scene.apply(envelope.write(forged), 5, "signer")


def test_a_plan_without_a_signature(scene: Scene) -> None:
    assert scene.apply(envelope.write(replace(scene.good, signatures=())), 5)["reason"] in ("unsigned", "signature")


def test_a_plan_whose_time_is_over(scene: Scene) -> None:
    now = datetime.now(UTC)
    old = replace(the_plan(scene), created_at=Moment.of(now - 2 * HOUR), expires_at=Moment.of(now - HOUR))
    scene.apply_approved(old, 7, "plan_expired")


def test_a_plan_from_the_future(scene: Scene) -> None:
    now = datetime.now(UTC)
    early = replace(the_plan(scene), created_at=Moment.of(now + HOUR), expires_at=Moment.of(now + 2 * HOUR))
    scene.apply_approved(early, 5, "created_in_future")


@pytest.mark.parametrize("field", ["speculative", "source_dirty"])
def test_a_plan_that_was_never_meant_to_run(scene: Scene, field: str) -> None:
    scene.apply_approved(replace(the_plan(scene), **{field: True}), 5)  # type: ignore[arg-type]


def test_a_plan_for_another_host(scene: Scene) -> None:
    """The name of a host that may be applied to, with the address of one of the attacker's."""
    plan = the_plan(scene)
    for changes in (
        {"address": "192.0.2.66"},
        {"user": "root"},
        {"root": "/"},
        {"port": 2222},
        {"host_key": ("SHA256:x",)},
    ):
        scene.apply_approved(replace(plan, host=replace(plan.host, **changes)), 7, "host_entry_changed")


def test_a_plan_of_another_version_of_the_tool(scene: Scene) -> None:
    scene.apply_approved(replace(the_plan(scene), tool_version="9.9.9"), 7, "tool_version")


def _other_argv(steps: list[dict[str, Any]]) -> None:
    for operation in steps[0]["do"]:
        if "argv" in json.dumps(operation):
            inner = next(iter(operation.values())) if "argv" not in operation else operation
            inner["argv"] = ["docker", "run", "--privileged", "-v", "/:/host", "platformctl-lab/sleeper:1"]


def _one_more(steps: list[dict[str, Any]]) -> None:
    steps.append({**steps[0], "id": "again"})


def _swapped(steps: list[dict[str, Any]]) -> None:
    steps[0]["do"], steps[0]["undo"] = steps[0]["undo"], steps[0]["do"]


def _no_undo(steps: list[dict[str, Any]]) -> None:
    steps[0]["undo"] = []


@pytest.mark.parametrize("change", [_other_argv, _one_more, _swapped, _no_undo])
def test_other_steps_than_planning_gives(scene: Scene, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """P4: signed and approved, and still not what this tool would do: planning again tells."""
    data = json.loads(scene.good.payload)
    before = json.dumps(data["steps"])
    change(data["steps"])
    assert json.dumps(data["steps"]) != before
    error = scene.apply_approved(strict_json.dump(data), 7, "changed")
    assert "steps" in error["detail"]


def test_a_plan_that_says_it_changes_nothing_so_that_nobody_is_asked(scene: Scene) -> None:
    """Its steps are there all the same; without an approval and with one."""
    plan = the_plan(scene)
    (change,) = plan.changes
    for changes in ((), (replace(change, action=model.Action.KEEP),)):
        quiet = replace(plan, changes=changes)
        error = scene.apply(envelope.write(scene.forge(encode_plan(quiet))), 7, "changed")
        assert "changes" in error["detail"]
        scene.apply_approved(quiet, 7, "changed")


def test_other_images_or_files_than_planning_gives(scene: Scene) -> None:
    plan = the_plan(scene)
    evil = Digest("sha256:" + "e" * 64)
    scene.apply_approved(replace(plan, images=tuple(replace(i, id=evil) for i in plan.images)), 7, "changed")
    scene.apply_approved(replace(plan, files=tuple(replace(f, digest=evil) for f in plan.files)), 7, "changed")
    scene.apply_approved(replace(plan, desired=evil), 7, "changed")


def test_a_second_module_in_the_plan(scene: Scene) -> None:
    """P17: all of it is refused, and both are named."""
    plan = the_plan(scene)
    (mine,) = plan.changes
    foreign = replace(mine, address="other.other", service=ServiceName("other"))
    for closure in (plan.closure, (*plan.closure, ServiceName("other"))):
        error = scene.apply_approved(replace(plan, changes=(mine, foreign), closure=closure), 4, "multi_module")
        assert "multi-module" in error["detail"]
        assert "other.other" in error["detail"]
        assert "web" in error["detail"]


@pytest.mark.parametrize(
    "target", ["host.user.root", "compose.service.", "compose.service.../x", "compose.network.web", ""]
)
def test_a_target_of_an_unknown_form(scene: Scene, target: str) -> None:
    """P54: refused, not skipped."""
    data = json.loads(scene.good.payload)
    data["changes"][0]["target"] = target
    scene.apply_approved(strict_json.dump(data), 4)


@pytest.mark.parametrize("module", [None, "", "../x", "nothing", 7])
def test_a_plan_of_no_module(scene: Scene, module: object) -> None:
    """P53."""
    data = json.loads(scene.good.payload)
    if module is None:
        del data["module"]
    else:
        data["module"] = module
    error = scene.apply_approved(strict_json.dump(data), 65)
    assert error["hint"], error


def test_a_plan_of_a_commit_whose_manifest_no_longer_loads(scene: Scene) -> None:
    """P53, on a commit that is merged."""
    repo = scene.repo
    head, manifest = repo.head, repo.root / "modules/web/module.yaml"
    good = manifest.read_text()
    try:
        manifest.write_text("kind: [\n")
        broken = repo.commit("broken")
        sealed = scene.forge(encode_plan(replace(the_plan(scene), source_sha=GitSha(broken))))
        error = scene.apply(envelope.write(sealed), 65, None, "--approval", scene.approval(sealed))
        assert error["file"] == "modules/web/module.yaml"
    finally:
        manifest.write_text(good)
        repo.git("reset", "--quiet", "--hard", head)


def test_a_plan_of_an_unmerged_commit(scene: Scene) -> None:
    repo = scene.repo
    repo.git("checkout", "--quiet", "-b", "evil")
    repo.write("modules/web/compose.yaml", json.dumps(WEB).replace("lab/web:1", "lab/web:2"))
    evil = repo.commit("not merged")
    repo.git("checkout", "--quiet", "main")
    sealed = scene.forge(encode_plan(replace(the_plan(scene), source_sha=GitSha(evil))))
    approval = scene.approval(sealed, source_sha=GitSha(evil))
    forged = scene.file("forged.json", envelope.write(sealed))
    with untouched(scene.host):
        ended = repo.run("apply", forged, "--approved-sha", evil, "--approval", approval, "--json")
    refusal(ended, 5, "not_merged")


def test_a_plan_of_a_module_of_another_name(scene: Scene) -> None:
    """The approved changes under a module that has other files."""
    scene.apply_approved(replace(the_plan(scene), module=ModuleId("other")), 7)


def test_doubled_keys_and_numbers_that_are_none(scene: Scene) -> None:
    """What two readers would read differently is not read."""
    payload = scene.good.payload
    twice = payload.replace(b'"module":"web"', b'"module":"web","module":"other"')
    assert twice != payload
    scene.apply_approved(twice, 65)
    scene.apply_approved(payload.replace(b'"exitCode":1', b'"exitCode":NaN'), 65)
    scene.apply_approved(payload.replace(b'"exitCode":1', b'"exitCode":0'), 65)


def test_hosts_swapped_in_the_allow_list(tmp_path: Path, hosts: tuple[Host, ...]) -> None:
    """D22: the approved name leads to another machine by the time of apply."""
    first, second, _ = hosts
    repo = PlatformRepo.create(tmp_path, {"rs2000": first})
    repo.add_module("web", WEB)
    plan = repo.plan("web")
    repo.approve(plan)
    planned = repo.head
    repo.hosts_file({"rs2000": host_entry(second)})
    repo.commit("another machine")
    with untouched(first), untouched(second):
        refusal(repo.apply(plan, sha=planned, expect=7), 7, "host_entry_changed")
