"""A hand-made plan is about one module's own services, and nothing is applied before the platform is armed."""

from dataclasses import replace

import pytest

from platformctl.errors import PolicyViolation
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, ServiceName
from platformctl.model.observed import Source
from platformctl.model.plan import Action, Cause, Change, Plan, PlannedHost, PlannedObservation, PlannedTrust, Rollback
from platformctl.policy.plans import check_targets, require_phase

DIGEST = Digest("sha256:" + "a" * 64)
SHA = GitSha("0" * 40)


def change(service: str, address: str | None = None) -> Change:
    name = ServiceName(service)
    return Change(address or f"cache.{service}", name, Action.RECREATE, (Cause.DEFINITION,), None, None, False, "")


def plan(*changes: Change) -> Plan:
    return Plan(
        module=ModuleId("cache"),
        host=PlannedHost(HostName("one"), "local", None, 22, None, "/opt/platform", (), "m", None, allow_root=False),
        source_sha=SHA,
        source_dirty=False,
        source_repo="",
        source_ref="",
        created_at="2026-06-15T00:00:00Z",
        expires_at="2026-06-16T00:00:00Z",
        tool_version="0",
        drivers={},
        observed=PlannedObservation("2026-06-15T00:00:00Z", Source.LIVE, DIGEST, "2.26.1", "28.2.2"),
        speculative=False,
        trust=PlannedTrust(None, DIGEST, DIGEST, DIGEST),
        desired=DIGEST,
        kind="service",
        files=(),
        images=(),
        closure=(ServiceName("db"), ServiceName("web")),
        changes=changes,
        steps=(),
        rollback=Rollback(True, SHA, ""),
        policy=(),
    )


def test_p17_a_plan_about_its_own_closure_passes() -> None:
    check_targets(plan(change("db"), change("web")))
    check_targets(plan())


def test_p17_a_plan_that_changes_another_modules_service_is_refused_and_names_it() -> None:
    with pytest.raises(PolicyViolation, match="more than one module") as refusal:
        check_targets(plan(change("web"), change("proxy", "edge.proxy"), change("mail", "post.mail")))

    assert "multi-module" in refusal.value.detail
    assert "edge.proxy, post.mail" in refusal.value.detail
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize("forged", [change("proxy"), change("web", "edge.web"), change("web", "cache-two.web")])
def test_p17_neither_the_address_nor_the_service_alone_can_be_forged(forged: Change) -> None:
    with pytest.raises(PolicyViolation):
        check_targets(plan(forged))


@pytest.mark.parametrize("name", ["", "--privileged", "a b", "a\n", "../x"])
def test_p17_a_target_of_an_unknown_form_is_refused(name: str) -> None:
    made = replace(plan(change(name)), closure=(ServiceName(name),))

    with pytest.raises(PolicyViolation) as refusal:
        check_targets(made)
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize(("environment", "policy"), [(None, 5), (5, 5), (6, 5), (5, 9)])
def test_from_phase_five_on_apply_may_touch_hosts(environment: int | None, policy: int) -> None:
    require_phase(environment, policy)


@pytest.mark.parametrize(("environment", "policy"), [(None, 4), (4, 5), (5, 4), (0, 5), (9, 0)])
def test_below_phase_five_nothing_is_applied_and_the_lower_phase_counts(environment: int | None, policy: int) -> None:
    with pytest.raises(PolicyViolation) as refusal:
        require_phase(environment, policy)

    assert refusal.value.reason == "phase"
    assert refusal.value.exit_code == 4
