"""A waiver lifts one rule for one module until a day, is seen in the finding, and lifts nothing else."""

from dataclasses import replace

import pytest

from platformctl.model.desired import Environment
from platformctl.model.finding import Finding
from platformctl.model.names import ModuleId, RepoPath, VariableName
from platformctl.model.policy import Policy, Waiver
from platformctl.policy import judge
from tests.policy.judged import MODULE, TODAY, denials, findings, release, service, waiving

SOCKET = service("volumes: ['/var/run/docker.sock:/s:ro']")


def about(rule: str, text: str, policy: Policy) -> Finding:
    return next(finding for finding in findings(text, policy) if finding.rule == rule)


def test_a_waived_denial_is_a_warning_that_carries_the_reason() -> None:
    found = about("docker-socket", SOCKET, waiving("docker-socket"))

    assert (found.severity, found.waiver) == ("warn", "because of docker-socket")


def test_a_waiver_lifts_no_other_rule() -> None:
    text = service("volumes: ['/var/run/docker.sock:/s:ro']", "privileged: true")

    assert denials(text, waiving("docker-socket")) == {"privileged"}


def test_a_waiver_for_a_mount_does_not_open_the_whole_host() -> None:
    assert denials(service("volumes: ['/:/host']"), waiving("docker-socket", "mount-outside-root")) == {
        "sensitive-mount"
    }


def test_a_waiver_of_another_module_does_not_count() -> None:
    other = Policy(waivers=(Waiver(ModuleId("proxy"), "docker-socket", "for the proxy", "2099-12-31"),))

    assert denials(SOCKET, other) == {"docker-socket"}


def test_a_waiver_holds_on_its_last_day_and_not_on_the_next() -> None:
    assert denials(SOCKET, waiving("docker-socket", until=TODAY)) == set()
    assert denials(SOCKET, waiving("docker-socket", until="2026-06-14")) == {"docker-socket"}


def test_an_expired_waiver_says_so() -> None:
    found = about("docker-socket", SOCKET, waiving("docker-socket", until="2026-06-14"))

    assert found.waiver is None
    assert "expired on 2026-06-14" in found.hint


def test_of_two_waivers_the_one_that_lasts_longer_counts() -> None:
    old, new = waiving("docker-socket", until="2026-01-01").waivers[0], waiving("docker-socket").waivers[0]

    assert denials(SOCKET, Policy(waivers=(new, old))) == set()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("platform-root", service("volumes: ['../..:/p:ro']")),
        ("sacred-path", service("volumes: ['../../.platform:/p:ro']")),
        ("include", "include: [x.yaml]\n" + service()),
        ("extends", service("extends: {file: x.yaml, service: y}")),
        ("provider", service("provider: {type: sh}")),
        ("outside-file", service("env_file: /proc/self/environ")),
        ("unknown-key", service("new_power: true")),
        ("unset-variable", service("command: $COMMAND")),
    ],
)
def test_rules_that_hold_up_the_others_are_not_waived(rule: str, text: str) -> None:
    found = about(rule, text, waiving(rule))

    assert found.severity == "deny"
    assert "no waiver lifts this rule" in found.hint


def test_a_waived_build_must_say_by_which_name_its_image_goes() -> None:
    unnamed = "services: {web: {build: .}}"

    assert denials(unnamed, waiving("build")) == {"image-unresolved"}
    assert denials(service("build: ."), waiving("build")) == set()


def test_validating_only_warns_of_variables_that_a_plan_refuses() -> None:
    text = service("command: $COMMAND")
    image = "services: {web: {image: $IMAGE}}"

    assert denials(text) == {"unset-variable"}
    for one in (text, image):
        found = judge(release(one), Policy(), TODAY, planning=False)
        assert {finding.severity for finding in found} == {"warn"}


def test_an_environment_value_that_nobody_gives_is_refused() -> None:
    empty = service("environment: {A: '${NOPE}'}")
    found = about("unset-variable", empty, Policy())

    assert (found.severity, found.field) == ("deny", "services.web.environment.A")
    assert "NOPE has no value, no default, and no spec.env.file" in found.message
    assert "no waiver lifts this rule" in about("unset-variable", empty, waiving("unset-variable")).hint


def test_an_environment_value_that_somebody_gives_passes() -> None:
    with_file = replace(MODULE, env=Environment(file=RepoPath("secrets/web.env")))

    assert denials(service("environment: {A: '${NOPE}'}"), module=with_file) == set()
    assert denials(service("environment: {A: '${NOPE}'}"), variables={VariableName("NOPE"): "1"}) == set()
    assert denials(service("environment: {A: '${NOPE:-}'}")) == set()
    assert denials(service() + "  other: {image: 'redis:7', environment: {A: '${NOPE}'}}\n") == set()


def test_the_same_release_is_judged_in_the_same_words_and_order() -> None:
    text = service("privileged: true", "pid: host", "volumes: ['/:/a', '/etc:/b']")

    assert findings(text) == findings(text)
    assert judge(replace(release(text)), Policy(), TODAY) == findings(text)
