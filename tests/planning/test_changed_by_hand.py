"""What somebody did to a container by hand is put right, and what the engine made of a setting is not taken for it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from platformctl.model.observed import Earlier, FileSeen
from platformctl.model.plan import Action, Cause
from tests.contracts.releases import a_release
from tests.planning.running_host import CONFIGURED, FILES, NETWORK, SETTINGS, WHO, running


@pytest.mark.parametrize(
    ("definition", "field", "by_hand", "wanted"),
    [
        ("", "restart", "always", "no"),
        (", restart: 'on-failure:3'", "restart", "on-failure", "on-failure:3"),
        (", deploy: {restart_policy: {condition: any}}, restart: 'no'", "restart", "no", "always"),
        (", mem_limit: 64m", "mem_limit", 128 << 20, 64 << 20),
        (", deploy: {resources: {limits: {memory: 0.5g, cpus: '0.25'}}}", "cpus", "0.5", "0.25"),
        (", pids_limit: 20", "pids_limit", 0, 20),
        (", cap_drop: [ALL], cap_add: [NET_ADMIN]", "cap_add", ["NET_ADMIN", "SYS_ADMIN"], ["NET_ADMIN"]),
        ("", "privileged", True, False),
        (", mem_limit: 64m", "memswap_limit", -1, 128 << 20),
        (", mem_limit: 64m, memswap_limit: 1g", "memswap_limit", -1, 1 << 30),
        (", mem_limit: 64m, memswap_limit: -1", "memswap_limit", 128 << 20, -1),
        (", mem_limit: '6.4e7'", "memswap_limit", -1, 128_000_000),
        (", pids_limit: 1e2", "pids_limit", 0, 100),
        (", privileged: 'yes'", "privileged", False, True),
        (", blkio_config: {weight: 300}", "blkio_weight", 400, 300),
        ("", "cpuset_mems", "0", ""),
    ],
)
def test_what_was_changed_by_hand_is_put_right(definition: str, field: str, by_hand: object, wanted: object) -> None:
    host = running("services: {web: {image: 'web:1'" + definition + "}}")
    host = replace(host, observation=replace(host.observation, identity=replace(WHO, swap_limit=True)))
    seen = host.observation.containers[0].settings
    change = host.with_container("web", settings={**seen, field: by_hand}).changes()["web"]

    assert host.changes()["web"].action is Action.KEEP
    assert (change.action, change.causes) == (Action.RECREATE, (Cause.ENGINE_DRIFT,))
    assert (change.before or {})["engine"] == {field: by_hand}
    assert (change.after or {})["engine"] == {field: wanted}


def test_a_paused_container_is_replaced_by_force() -> None:
    change = running("services: {web: {image: 'web:1'}}").with_container("web", state="paused").changes()["web"]

    assert (change.action, change.causes, change.is_forced) == (Action.RECREATE, (Cause.ENGINE_DRIFT,), True)
    assert ((change.before or {})["engine"], (change.after or {})["engine"]) == (
        {"state": "paused"},
        {"state": "running"},
    )


def test_a_limit_that_the_engine_could_not_set_is_no_drift() -> None:
    host = running("services: {web: {image: 'web:1', mem_limit: 64m}}")
    without = {**host.observation.containers[0].settings, "mem_limit": 0}
    without_swap = {**host.observation.containers[0].settings, "memswap_limit": -1}

    assert host.with_container("web", settings=without).changes()["web"].action is Action.KEEP
    assert host.with_container("web", settings=without_swap).changes()["web"].action is Action.KEEP


@pytest.mark.parametrize(
    ("definition", "memory", "swap"),
    [
        ("mem_limit: '6.4e7'", 64_000_000, 128_000_000),
        ("mem_limit: 6.4e7, memswap_limit: 1.28e8", 0, 0),
        ("mem_limit: '0x1p26'", 64 << 20, 128 << 20),
        ("mem_limit: '.5g'", 512 << 20, 1 << 30),
    ],
    ids=["an exponent", "not in quotes", "a form that is not known here", "no digit in front"],
)
def test_what_the_engine_made_of_a_limit_is_no_drift(definition: str, memory: int, swap: int) -> None:
    """As the engine has it of Compose 5.6.1, which reads more forms than 2.26.1."""
    host = running("services: {web: {image: 'web:1', " + definition + "}}")
    host = replace(host, observation=replace(host.observation, identity=replace(WHO, swap_limit=True)))
    settings = {**SETTINGS, "mem_limit": memory, "memswap_limit": swap}

    assert host.with_container("web", settings=settings).changes()["web"].action is Action.KEEP


def test_a_pending_change_is_not_taken_for_one_by_hand() -> None:
    host = running("services: {web: {image: 'web:1', mem_limit: 64m}}").with_container("web", config_hash="x")
    change = host.changes(a_release("services: {web: {image: 'web:1', mem_limit: 96m}}"))["web"]

    assert change.causes == (Cause.DEFINITION,)


@pytest.mark.parametrize(
    ("networks", "cause"),
    [
        ({}, Cause.ENGINE_DRIFT),
        ({"shop_default": "n" * 64, "bridge": "b" * 64}, Cause.ENGINE_DRIFT),
        ({"shop_default": "other"}, Cause.NETWORK),
    ],
    ids=["disconnected", "connected", "made again"],
)
def test_a_container_in_other_networks_than_it_asks_for_is_made_again(
    networks: Mapping[str, str], cause: Cause
) -> None:
    change = running(CONFIGURED, FILES).with_container("web", networks=networks).changes()["web"]

    assert (change.action, change.causes) == (Action.RECREATE, (cause,))


def test_a_network_by_another_name_was_not_changed_by_hand() -> None:
    host = running(CONFIGURED, FILES)
    files = tuple(FileSeen(file.path, file.digest, file.mode) for file in host.release.files)
    earlier = Earlier(host.release.compose, files, {})
    there = replace(host, observation=replace(host.observation, earlier=earlier))
    renamed = a_release(f"{CONFIGURED}\nnetworks: {{default: {{name: another}}}}", files=FILES)
    change = there.changes(renamed)["web"]

    assert (change.action, change.causes, change.is_forced) == (Action.RECREATE, (Cause.NETWORK,), True)
    assert [fields and fields["names"] for fields in (change.before, change.after)] == [
        {"networks": ["shop_default"]},
        {"networks": ["another"]},
    ]
    by_hand = there.with_container("web", networks={"shop_default": "n" * 64, "bridge": "b" * 64})
    assert by_hand.changes()["web"].causes == (Cause.ENGINE_DRIFT,)


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_container_that_is_not_found_by_its_names_is_made_again(state: str) -> None:
    host = running("services: {web: {image: 'web:1', networks: {default: {aliases: [cache]}}}}")
    named = host.with_container("web", aliases={NETWORK.name: ("shop-web-1", "web", "cache", "0123456789ab")})
    change = host.with_container("web", aliases={NETWORK.name: ("0123456789ab",)}, state=state).changes()["web"]

    assert named.changes()["web"].action is Action.KEEP
    assert (change.action, change.causes[0]) == (Action.RECREATE, Cause.ENGINE_DRIFT)
    assert (change.after or {})["engine"] == {"aliases": ["shop_default:cache", "shop_default:web"]}


def test_a_stopped_container_that_was_disconnected_is_made_again_at_once() -> None:
    host = running(CONFIGURED, FILES).with_container("web", networks={}, state="exited")
    change = host.changes()["web"]

    assert (change.action, change.causes) == (Action.RECREATE, (Cause.ENGINE_DRIFT, Cause.UNHEALTHY))


def test_a_container_that_was_never_started_is_in_no_network_yet() -> None:
    host = running(CONFIGURED, FILES).with_container("web", networks={"shop_default": ""}, state="created")

    assert host.changes()["web"].causes == (Cause.UNHEALTHY,)
