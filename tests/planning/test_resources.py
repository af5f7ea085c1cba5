"""Networks and volumes that are there already, and what a compose file says of them by now."""

from dataclasses import replace
from typing import Any

import pytest

from platformctl.drivers.compose_definitions import network_hash
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import PolicyViolation
from platformctl.model.names import RepoPath
from platformctl.model.observed import ImageSeen, ResourceSeen
from platformctl.model.plan import PlannedImage
from platformctl.planning.build import build
from tests.contracts.releases import a_release
from tests.planning.running_host import IMAGE, NETWORK, running
from tests.planning.test_removal import WHEN, record_of

COMPOSE = """
services:
  web: {{image: 'web:1', networks: [default], volumes: ['data:/data']}}
  other: {{image: 'web:1', networks: [far]}}
networks: {{default: {network}, far: {{internal: true}}}}
volumes: {{data: {volume}}}
"""
BRIDGE = {"driver": "bridge"}
EVERYTHING = {
    "driver": "bridge",
    "driver_opts": {"com.docker.network.driver.mtu": 1450},
    "labels": {"a": "x<&>", "n": 5, "b": True},
    "enable_ipv6": False,
    "internal": True,
    "ipam": {
        "driver": "default",
        "config": [
            {
                "subnet": "10.9.0.0/24",
                "gateway": "10.9.0.1",
                "ip_range": "10.9.0.128/25",
                "aux_addresses": {"h": "10.9.0.5"},
            }
        ],
        "options": {"foo": "bar"},
    },
}
CIFS = "{driver_opts: {type: cifs, o: 'username=ann,password=hunter2'}}"


def found(
    network: str = "{}", volume: str = "{}", version: str = "2.26.1", config_hash: str = "", **seen: object
) -> tuple[str, ...]:
    """What is said of a file with these definitions on a host where the default ones are."""
    release = a_release(COMPOSE.format(network=network, volume=volume))
    observation = running(COMPOSE.format(network="{}", volume="{}")).observation
    there = replace(NETWORK, definition={**NETWORK.definition, **seen}, config_hash=config_hash)
    who = replace(observation.identity, compose_version=version)
    return DockerCompose().contradictions(release, replace(observation, networks=(there,), identity=who))


@pytest.mark.parametrize(
    "network",
    [
        "{}",
        "null",
        "{driver: bridge}",
        "{internal: false}",
        "{internal: 'no', attachable: off, enable_ipv6: n}",
        "{external: true, internal: true}",
        "{external: 'yes', internal: true}",
        "{name: another, internal: true}",
    ],
)
def test_the_default_in_other_words_external_ones_and_new_ones_are_no_contradiction(network: str) -> None:
    assert found(network) == ()


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("{internal: true}", "internal is false, wanted true"),
        ("{internal: on}", "internal is false, wanted true"),
        ("{driver: macvlan}", "its driver is bridge, wanted macvlan"),
        ("{enable_ipv6: true}", "enable_ipv6 is false, wanted true"),
        ("{labels: [tier=back]}", "labels.tier differs"),
        ("{driver_opts: {mtu: 1400}}", "driver_opts.mtu differs"),
        ("{ipam: {config: [{subnet: 10.9.0.0/24}]}}", "its subnet is 172.18.0.0/16, wanted 10.9.0.0/24"),
    ],
)
def test_a_network_with_another_definition_is_told(network: str, said: str) -> None:
    assert found(network) == (f"network shop_default: {said}",)


def test_labels_and_options_are_compared_as_compose_hands_them_on() -> None:
    """Seen with 2.26.1: `1.0` is the label 1, and a date is a time."""
    network = "{labels: {v: 1.0, n: 1_000, day: 2024-01-01, on: yes}, driver_opts: {mtu: 1_450, part: 0.50, much: 1e6}}"
    labels = {"v": "1", "n": "1000", "day": "2024-01-01 00:00:00 +0000 UTC", "on": "yes"}

    assert found(network, labels=labels, driver_opts={"mtu": "1450", "part": "0.5", "much": "1e+06"}) == ()


@pytest.mark.parametrize("version", ["2.31.0", "5.6.1", "", "not known"])
@pytest.mark.parametrize(
    "network",
    [
        "{driver: bridge}",
        "{enable_ipv4: true}",
        "{enable_ipv6: false}",
        "{ipam: {driver: default}}",
        "{ipam: {config: [{gateway: 172.18.0.2}]}}",
    ],
)
def test_what_only_the_hash_of_a_newer_compose_tells_is_told(network: str, version: str) -> None:
    told = "network shop_default: it was made from another definition, and Compose would make it anew"

    assert found(network, version=version, config_hash=network_hash("shop_default", {})) == (told,)


@pytest.mark.parametrize(
    ("version", "config_hash"),
    [("5.6.1", ""), ("2.30.3", network_hash("shop_default", {})), ("5.6.1", network_hash("shop_default", BRIDGE))],
)
def test_a_network_that_compose_leaves_as_it_is_is_not_told(version: str, config_hash: str) -> None:
    """It has no hash, Compose does not look at it, or it is the same."""
    assert found("{driver: bridge}", version=version, config_hash=config_hash) == ()


@pytest.mark.parametrize(
    ("version", "looks"), [("2.26.1", False), ("2.31.0", True), ("5.1.4", True), ("5.2.0", False), ("", True)]
)
def test_a_network_beside_the_closure_counts_where_compose_would_make_it_anew_too(version: str, looks: bool) -> None:
    host = running(COMPOSE.format(network="{}", volume="{}"))
    far = replace(NETWORK, name="shop_far", id="f" * 64, config_hash=network_hash("shop_far", {}))
    who = replace(host.observation.identity, compose_version=version)
    seen = replace(host.observation, networks=(NETWORK, far), identity=who)

    told = "network shop_far: it was made from another definition, and Compose would make it anew"
    assert DockerCompose().contradictions(host.release, seen) == ((told,) if looks else ())


@pytest.mark.parametrize(("version", "moves"), [("5.6.1", True), ("5.2.0", True), ("", True), ("5.1.4", False)])
def test_a_network_with_another_name_is_told_where_compose_would_take_the_one_that_is_there(
    version: str, moves: bool
) -> None:
    release = a_release(COMPOSE.format(network="{name: another}", volume="{}"))
    observation = running(COMPOSE.format(network="{}", volume="{}")).observation
    who = replace(observation.identity, compose_version=version)
    seen = replace(observation, networks=(replace(NETWORK, key="default"),), identity=who)

    told = "network shop_default: its name is another now, and Compose would take it from all that are in it"
    assert DockerCompose().contradictions(release, seen) == ((told,) if moves else ())

    beside = replace(seen, networks=(*seen.networks, replace(NETWORK, name="another", key="default")))
    assert DockerCompose().contradictions(release, beside) == ()


@pytest.mark.parametrize(
    ("name", "declared", "written"),
    [
        ("x_default", {}, "12b878553dd78da3a6ae6bd52b800ac67e198350873823890560fe0036dbebc1"),
        ("x_n", EVERYTHING, "d64cbaab38d736a50438e4d4ea07ea8a30ce89fa5c9b05438e0946909e9b1007"),
    ],
)
def test_the_hash_is_what_compose_5_6_1_wrote_on_the_network(name: str, declared: Any, written: str) -> None:
    assert network_hash(name, declared) == written


def test_what_the_engine_adds_by_itself_is_nobodys_wish() -> None:
    assert found(driver_opts={"com.docker.network.enable_ipv4": "true"}) == ()
    assert found(driver_opts={"mtu": "1400"}) == ("network shop_default: driver_opts.mtu differs",)


def test_an_option_that_differs_is_told_without_its_value() -> None:
    said = found(volume=CIFS)

    assert said == ("volume shop_data: driver_opts.o differs", "volume shop_data: driver_opts.type differs")


def test_a_network_of_another_service_is_not_judged() -> None:
    far = ResourceSeen("shop_far", {**NETWORK.definition, "internal": False}, "f" * 64)
    host = running(COMPOSE.format(network="{}", volume="{}"))

    observation = replace(host.observation, networks=(NETWORK, far))
    assert DockerCompose().contradictions(host.release, observation) == ()


BOUND = {"driver": "local", "driver_opts": {"type": "none", "o": "bind", "device": "/srv"}, "labels": {}}


@pytest.mark.parametrize("volume", ["{external: true, name: theirs}", "{external: {name: theirs}}", "{name: theirs}"])
@pytest.mark.parametrize(
    ("there", "leads"),
    [
        (BOUND, True),
        ({**BOUND, "driver_opts": {"type": "nfs", "o": "bind", "device": "/"}}, True),
        ({**BOUND, "driver_opts": {"device": "/dev/sda1", "type": "ext4"}}, True),
        ({**BOUND, "driver": "plugin", "driver_opts": {}}, True),
        ({**BOUND, "driver_opts": {}}, False),
        ({**BOUND, "driver_opts": {"type": "nfs", "o": "addr=192.0.2.1,rw", "device": ":/data"}}, False),
    ],
)
def test_a_volume_of_somebody_else_that_leads_out_is_told(volume: str, there: dict[str, object], leads: bool) -> None:
    release = a_release(COMPOSE.format(network="{}", volume=volume))
    seen = replace(
        running(COMPOSE.format(network="{}", volume="{}")).observation, lent=(ResourceSeen("theirs", there),)
    )

    assert DockerCompose().leading_out(release, seen) == (("theirs",) if leads else ())


def test_a_volume_that_is_not_mounted_is_not_told() -> None:
    release = a_release(COMPOSE.format(network="{}", volume="{}"))
    seen = replace(
        running(COMPOSE.format(network="{}", volume="{}")).observation, lent=(ResourceSeen("theirs", BOUND),)
    )

    assert DockerCompose().leading_out(release, seen) == ()


THEIRS = ResourceSeen("theirs", id="t" * 64)


@pytest.mark.parametrize(
    ("attached", "there", "lost"),
    [
        ({"theirs": "t" * 64}, (THEIRS,), ()),
        ({"theirs": "o" * 64}, (THEIRS,), ("theirs",)),
        ({"theirs": ""}, (THEIRS,), ()),
        ({}, (THEIRS,), ()),
        ({"theirs": "o" * 64}, (ResourceSeen("theirs"),), ()),
        ({"theirs": "o" * 64}, (), ()),
    ],
    ids=["the same", "made anew", "before its first start", "taken out by hand", "in a swarm", "gone"],
)
def test_a_network_of_others_is_lost_when_another_one_has_its_name(
    attached: dict[str, str], there: tuple[ResourceSeen, ...], lost: tuple[str, ...]
) -> None:
    """What is gone is not lost for a new container to find, but refused."""
    compose = COMPOSE.format(network="{external: true, name: theirs}", volume="{}")
    host = running(compose)
    container = replace(host.observation.containers[0], networks=attached)

    assert DockerCompose().lost_networks(host.release, replace(host.observation, external=there), container) == lost


@pytest.mark.parametrize("external", ["{external: {name: theirs}}", "{external: true, name: theirs}"])
def test_what_somebody_else_is_to_make_and_is_not_there_is_told(external: str) -> None:
    release = a_release(COMPOSE.format(network=external, volume="{external: true}"))
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(release, seen) == ("network theirs", "volume data")
    there = replace(seen, external=(THEIRS,), lent=(ResourceSeen("data"),))
    assert DockerCompose().absent(release, there) == ()


def test_up_asks_for_networks_of_services_that_it_does_not_start_and_for_no_volumes_of_those() -> None:
    text = "services: {web: {image: 'web:1'}, beside: {image: 'web:1', networks: [n], volumes: ['data:/v']%s}}\n"
    text += "networks: {n: {external: true}}\nvolumes: {data: {external: true}}\n"
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(a_release(text % ""), seen) == ("network n",)
    assert DockerCompose().absent(a_release(text % ", profiles: [other]"), seen) == ()


def test_what_is_ours_to_make_is_never_absent() -> None:
    network, volume = "{name: theirs, external: 'false'}", "{name: data, external: no}"
    release = a_release(COMPOSE.format(network=network, volume=volume))
    seen = replace(running(COMPOSE.format(network="{}", volume="{}")).observation, external=(), lent=())

    assert DockerCompose().absent(release, seen) == ()


@pytest.mark.parametrize(
    ("version", "reads"),
    [("2.26.1-4", True), ("2.27.0", True), ("2.33.1", True), ("2.34.0", False), ("5.6.1", False)],
)
def test_an_env_file_of_a_service_beside_is_read_by_compose_until_it_chose_services_first(
    version: str, *, reads: bool
) -> None:
    compose = "services: {web: {image: 'web:1'}, beside: {image: 'web:1', env_file: [a.env]}}"
    host, path = running(compose), RepoPath("modules/shop/a.env")
    who = replace(host.observation.identity, compose_version=version)
    seen = replace(host.observation, identity=who, lacking=(path,))

    assert DockerCompose().unreadable(host.release, seen) == ((path,) if reads else ())


BEYOND = {
    "volumes: [{type: volume, source: data, target: /d, volume: {subpath: here}}]": (
        "26.0.0",
        "the subpath of a volume",
    ),
    "volumes: [{type: image, source: 'web:1', target: /d}]": ("28.0.1", "a mount of type image"),
    "healthcheck: {test: [CMD, probe], start_period: 5s, start_interval: 1s}": ("25.0.0", "healthcheck.start_interval"),
    "networks: {default: {interface_name: eth7}}": ("28.1.0", "the interface_name in a network"),
}


@pytest.mark.parametrize("asked", BEYOND)
def test_what_the_hosts_engine_does_not_know_is_not_planned_for(asked: str) -> None:
    """Seen with 20.10: of a volume it shows the container all, the others end in an error or are left out.

    A rollback, which pins its images, goes to what ran there.
    """
    enough, told = BEYOND[asked]
    host = running("services: {web: {image: 'web:1', " + asked + "}}\nvolumes: {data: {}}\n")

    def refused(version: str, pinned: dict[str, PlannedImage] | None = None, **changed: str) -> str:
        seen = host.with_container("web", **changed).observation
        who, images = replace(seen.identity, engine_version=version), (ImageSeen("web:1", IMAGE),)
        seen = replace(seen, identity=who, images=images)
        try:
            build(host.release, seen, record_of(host), DockerCompose(), WHEN, (), pinned=pinned)
        except PolicyViolation as refusal:
            return f"{refusal.reason}: {refusal.detail}"
        return ""

    assert refused("20.10.24+dfsg1", config_hash="x").startswith(f"engine-too-old: services.web: {told} needs ")
    assert refused("20.10.24+dfsg1") == ""
    assert refused("20.10.24+dfsg1", {}, config_hash="x") == ""
    assert refused(enough, config_hash="x") == ""
    assert refused("not known", config_hash="x") == ""
