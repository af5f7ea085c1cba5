"""Why a container has another hash although nobody changed what is wanted."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from platformctl.model.desired import Environment, Module
from platformctl.model.names import RepoPath
from platformctl.model.plan import Action, Cause, Change
from platformctl.model.state import Computed
from tests.contracts.releases import MODULE, a_release
from tests.planning.running_host import IGNORING, WHO, Host, running
from tests.planning.test_fields import keeping as fields_keeping
from tests.planning.test_removal import record_of

ENV_FILE = Environment(file=RepoPath("secrets/shop.env"))
COMPOSE = """
services:
  web: {image: 'web:1', environment: {PASSWORD: "${PASSWORD}", MODE: "${MODE-x}"}}
  db: {image: 'db:1', environment: {ROOT: "${ROOT_PASSWORD}"}}
"""
BEFORE = Computed("2.26.1", "f" * 64, {}, {"PASSWORD": "1" * 16, "ROOT_PASSWORD": "2" * 16, "MODE": "3" * 16})


def rotated(compose: str = COMPOSE, **variables: str) -> Host:
    """A host whose env file has other values than the last receipt saw, and whose web is hashed otherwise by now."""
    host = running(compose, module=replace(MODULE, env=ENV_FILE)).with_container("web", config_hash="before")
    seen = replace(host.observation, environment="e" * 64, variables={**BEFORE.variables, **variables})
    return replace(host, observation=seen)


def test_a_rotated_value_is_named_for_the_service_that_uses_it() -> None:
    host = rotated(PASSWORD="9" * 16, ROOT_PASSWORD="8" * 16)
    web = host.changes(record=record_of(host, computed=BEFORE))["web"]

    assert (web.action, web.causes) == (Action.RECREATE, (Cause.ENV_FINGERPRINT,))
    assert web.reason.endswith(": PASSWORD")
    assert (web.before or {})["variables"] == ["PASSWORD " + "1" * 16]
    assert (web.after or {})["variables"] == ["PASSWORD " + "9" * 16]


def test_a_value_that_is_handed_on_by_its_name_alone_is_named_too() -> None:
    handed_on = COMPOSE.replace('{PASSWORD: "${PASSWORD}", MODE: "${MODE-x}"}', "[PASSWORD, MODE=x]")
    host = rotated(handed_on, PASSWORD="9" * 16, MODE="8" * 16)

    assert host.changes(record=record_of(host, computed=BEFORE))["web"].reason.endswith("differs: PASSWORD")


def test_without_fingerprints_of_before_no_variable_is_guessed() -> None:
    host = rotated(PASSWORD="9" * 16)
    web = host.changes(record=record_of(host))["web"]

    assert web.causes == (Cause.ENV_FINGERPRINT,)
    assert web.reason == "a value that the host keeps differs"
    assert "variables" not in {**(web.before or {}), **(web.after or {})}


def under_another_compose(computed: Computed | None, **variables: str) -> Change:
    """The change of web, made by one Compose, where another one hashes it now and the env file is another one too."""
    host = rotated(**variables)
    newer = replace(host.observation, identity=replace(WHO, compose_version="2.31.0-1"))
    return replace(host, observation=newer).changes(record=record_of(host, computed=computed))["web"]


@pytest.mark.parametrize(
    "computed", [replace(BEFORE, environment="e" * 64), BEFORE], ids=["the same env file", "the same values"]
)
def test_another_compose_is_the_cause_where_it_made_another_hash(computed: Computed) -> None:
    web = under_another_compose(computed, ROOT_PASSWORD="8" * 16)

    assert web.causes == (Cause.COMPOSE_VERSION,)
    assert (web.before or {})["compose_version"] == "2.26.1"
    assert (web.after or {})["compose_version"] == "2.31.0"


def test_a_rotated_value_is_not_taken_for_an_upgrade_of_compose() -> None:
    web = under_another_compose(BEFORE, PASSWORD="9" * 16)

    assert web.causes == (Cause.ENV_FINGERPRINT,)
    assert web.reason.endswith(": PASSWORD")


@pytest.mark.parametrize(
    "computed", [None, replace(BEFORE, variables={})], ids=["no receipt's word", "no fingerprints"]
)
def test_where_values_of_before_are_not_known_an_upgrade_is_not_told_alone(computed: Computed | None) -> None:
    web = under_another_compose(computed)

    assert web.causes == (Cause.COMPOSE_VERSION, Cause.ENV_FINGERPRINT)


# --- files that only the host has -----------------------------------------------------------------

WITH_SECRET = """
services:
  web: {image: 'web:1', secrets: [password]}
  db: {image: 'db:1'}
secrets: {password: {file: ../../secrets/password}}
"""
PASSWORD = "secrets/password"


def keeping(then: Mapping[str, str], now: Mapping[str, str], module: Module = MODULE) -> Change:
    """The change of web, whose secret had one fingerprint at the last apply and has another one now."""
    host = running(WITH_SECRET, module=module)
    seen = replace(host, observation=replace(host.observation, host_files=now))
    return seen.changes(record=record_of(host, host_files=then))["web"]


def test_a_rotated_secret_that_only_the_host_has_makes_a_new_container_by_force() -> None:
    web = keeping({PASSWORD: "1" * 64}, {PASSWORD: "2" * 64})

    assert (web.action, web.causes, web.is_forced) == (Action.RECREATE, (Cause.ENV_FINGERPRINT,), True)
    assert web.reason == "a value that the host keeps differs: secrets.password"
    assert (web.before or {})["variables"] == ["secrets.password " + "1" * 16]
    assert (web.after or {})["variables"] == ["secrets.password " + "2" * 16]


@pytest.mark.parametrize(
    ("then", "now"),
    [({}, {PASSWORD: "2" * 64}), ({PASSWORD: "1" * 64}, {}), ({PASSWORD: "1" * 64}, {PASSWORD: "1" * 64})],
    ids=["a receipt of before", "it can not be read", "the same"],
)
def test_a_secret_that_is_the_same_or_not_known_is_no_change(then: Mapping[str, str], now: Mapping[str, str]) -> None:
    assert keeping(then, now).action is Action.KEEP


def test_a_rotated_secret_is_no_change_where_the_manifest_says_that_the_file_is_enough() -> None:
    assert keeping({PASSWORD: "1" * 64}, {PASSWORD: "2" * 64}, IGNORING).action is Action.KEEP


def test_a_rotated_secret_of_another_modules_service_is_left_to_that_module() -> None:
    host = running(WITH_SECRET)
    host = replace(host, observation=replace(host.observation, host_files={PASSWORD: "2" * 64}))
    record = record_of(host, host_files={PASSWORD: "1" * 64})

    assert host.changes(record=record, foreign=frozenset(host.release.closure))["web"].action is Action.KEEP


def test_another_file_of_the_host_in_the_place_of_a_secret_is_one_more_cause() -> None:
    host = fields_keeping(running(WITH_SECRET))
    other = a_release(WITH_SECRET.replace("/password}", "/other}"))

    assert host.changes(other, record_of(host))["web"].reason == "a file it uses differs: secrets.password"


def test_an_optional_env_file_that_only_the_host_has_is_told_by_its_path() -> None:
    host = running("services: {web: {image: 'web:1', env_file: [{path: own.env, required: false}]}}")
    own = "modules/shop/own.env"
    host = replace(host, observation=replace(host.observation, host_files={own: "2" * 64}))
    host = host.with_container("web", config_hash="before")
    rotated_file = host.changes(record=record_of(host, host_files={own: "1" * 64}))["web"]
    not_known = host.changes(record=record_of(host))["web"]

    assert rotated_file.causes == not_known.causes == (Cause.ENV_FINGERPRINT,)
    assert not rotated_file.is_forced, "Compose reads it"
    assert rotated_file.reason == f"a value that the host keeps differs: {own}"
    assert not_known.reason == "a value that the host keeps differs"


@pytest.mark.parametrize("scale", [1, 3])
def test_another_number_of_containers_than_was_applied_is_by_hand_and_mended_without_force(scale: int) -> None:
    host = running("services: {web: {image: 'web:1', scale: 2}}")
    (one,) = host.observation.containers
    there = tuple(replace(one, id=str(number), name=f"shop-web-{number}") for number in range(scale))
    host = replace(host, observation=replace(host.observation, containers=there))
    web = host.changes(record=record_of(host))["web"]

    assert (web.action, web.causes, web.is_forced) == (Action.RECREATE, (Cause.ENGINE_DRIFT,), False)
    assert (web.before or {})["engine"] == {"scale": len(there)}
    assert host.changes()["web"].causes == (Cause.DEFINITION,)
