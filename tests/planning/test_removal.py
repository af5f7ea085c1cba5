"""What goes with a module whose manifest is gone, and what stays."""

from dataclasses import replace

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import PolicyViolation
from platformctl.model.desired import NOTHING, Environment
from platformctl.model.names import Digest, RepoPath, ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import Action, Plan, PlannedFile, PlannedImage, Run
from platformctl.model.policy import Policy, TrustRoots
from platformctl.model.state import HostRecord, Receipt, SignedReceipt
from platformctl.planning.build import Circumstances
from platformctl.planning.removal import build_removal
from tests.contracts.releases import MODULE, SHA, a_release
from tests.planning.running_host import IMAGE, Host, hide, running

COMPOSE = """
services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'db:1', volumes: ['data:/data']}}
volumes: {data: {}}
"""
WHEN = Circumstances(
    created_at="2026-06-01T12:00:00Z",
    expires_at="2026-06-02T12:00:00Z",
    repository="",
    ref="main",
    tool_version="0.1.0",
    trust=TrustRoots(SHA, Policy(), {}, "", IMAGE, IMAGE, IMAGE),
    hide=hide,
)
DRIVER = DockerCompose()
RECORDED = "/opt/platform/modules/shop/compose.yaml"


def host() -> Host:
    """A host on which the last release of the module runs, with its image."""
    found = running(COMPOSE, module=replace(MODULE, env=Environment(file=RepoPath("secrets/shop.env"))))
    return replace(found, observation=replace(found.observation, image_ids=frozenset({IMAGE})))


def record_of(found: Host, **about: object) -> HostRecord:
    release = found.release
    receipt = Receipt(
        module=release.module.id,
        host=release.host.name,
        outcome="APPLIED",
        plan_digest=IMAGE,
        source_sha=SHA,
        desired=release.digest,
        applied_at=WHEN.created_at,
        applied_by="ann@example.org",
        pull_request=None,
        files=tuple(PlannedFile(f.path, f.digest, f.mode) for f in release.files),
        images=(PlannedImage("web:1", None, IMAGE), PlannedImage("db:1", None, IMAGE)),
        up=DRIVER.bring_up(release),
        closure=release.closure,
        containers=(),
    )
    return HostRecord(release.module.id, 1, (SignedReceipt(replace(receipt, **about), ""),))  # type: ignore[arg-type]


def removal(found: Host, record: HostRecord | None = None, *kept: str, observation: Observation | None = None) -> Plan:
    gone = replace(found.release, gone=True, digest=NOTHING)
    owners = {ServiceName(service): "other" for service in kept}
    return build_removal(gone, observation or found.observation, record or record_of(found), DRIVER, WHEN, owners)


def actions(plan: Plan) -> dict[str, Action]:
    return {change.service: change.action for change in plan.changes}


def test_every_container_goes_and_data_secrets_and_files_stay() -> None:
    plan = removal(host())

    assert actions(plan) == {"db": Action.DELETE, "web": Action.DELETE}
    assert plan.destructive
    assert plan.desired == NOTHING
    assert (plan.files, plan.images, plan.rollback.ready) == ((), (), True)
    assert {(left.kind, left.name) for left in plan.untouched} == {
        ("volume", "shop_data"),
        ("file", "secrets/shop.env"),
        ("file", "modules/shop/compose.yaml"),
    }
    (step,) = plan.steps
    (run,) = step.do
    assert isinstance(run, Run)
    assert run.argv[-6:] == ("rm", "-s", "-f", "--", "db", "web")
    assert step.undo == DRIVER.bring_up(host().release)


def test_what_another_module_needs_stays() -> None:
    plan = removal(host(), None, "db")

    assert actions(plan) == {"db": Action.KEEP, "web": Action.DELETE}
    assert removal(host(), None, "db", "web").steps == ()
    assert not removal(host(), None, "db", "web").has_changes


def test_a_newer_version_of_a_shared_file_is_not_asked_about_services_it_does_not_have() -> None:
    found = host().with_file("compose.yaml", b"newer")
    recorded = found.release.files[0].digest
    kept = replace(found.observation, kept=frozenset({recorded}))

    (step,) = removal(found, observation=kept).steps
    for run in (*step.do, *step.undo):
        assert isinstance(run, Run)
        assert run.argv[run.argv.index("-f") + 1] == f"/opt/platform/.platformctl/blobs/{recorded.hexadecimal}"
        assert RECORDED not in run.argv
    with pytest.raises(PolicyViolation) as caught:
        removal(found)
    assert caught.value.reason == "nothing-recorded"


def test_without_its_images_there_is_no_way_back() -> None:
    found = host()
    plan = removal(found, observation=replace(found.observation, image_ids=frozenset({Digest.of(b"other")})))

    assert not plan.rollback.ready


@pytest.mark.parametrize("record", [HostRecord(MODULE.id, 0), record_of(host(), desired=NOTHING)])
def test_what_was_never_applied_or_is_removed_already_is_refused(record: HostRecord) -> None:
    with pytest.raises(PolicyViolation):
        removal(host(), record)


def test_a_module_that_was_removed_is_as_one_that_never_was() -> None:
    assert record_of(host()).current is not None
    assert record_of(host(), desired=NOTHING).current is None
    assert a_release(COMPOSE).gone is False
