"""An observation is read as it was written, with what may be secret taken out, and nothing else is taken for one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import InvalidInput
from platformctl.model.names import GitSha, HostName, ModuleId
from platformctl.model.observed import ResourceSeen, Source
from platformctl.trust.fleet_observation import FleetObservation, ModuleSeen, Unseen, decode_fleet, encode_fleet
from tests.contracts.releases import a_release
from tests.contracts.test_drivers import observed

RELEASE = a_release("services: {web: {image: 'web:1'}}")
SEEN = replace(observed(DockerCompose(), RELEASE), source=Source.OBSERVATION)
FLEET = FleetObservation(
    source_sha=GitSha("c" * 40),
    at="2026-06-01T12:00:00Z",
    modules=(ModuleSeen(ModuleId("shop"), HostName("one"), SEEN, "{}"),),
    unseen=(Unseen(ModuleId("mail"), "two", "connect", "the host can not be reached", "timed out"),),
)


def plain(text: str) -> str:
    return text


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode_fleet(FLEET, plain)), **fields}).encode()


def test_it_is_read_as_it_was_written_and_written_alike_each_time() -> None:
    payload = encode_fleet(FLEET, plain)

    assert decode_fleet(payload) == FLEET
    assert encode_fleet(decode_fleet(payload), plain) == payload


def test_what_may_be_secret_is_taken_out_before_it_is_signed() -> None:
    volume = ResourceSeen("data", {"driver": "local", "driver_opts": {"o": "password=hunter2"}, "labels": {}})
    seen = replace(SEEN, volumes=(volume,))
    fleet = replace(FLEET, modules=(replace(FLEET.modules[0], observation=seen),))

    assert b"hunter2" not in encode_fleet(fleet, lambda text: text.replace("hunter2", "[redacted]"))


def test_it_is_never_taken_for_live() -> None:
    live = replace(FLEET, modules=(replace(FLEET.modules[0], observation=replace(SEEN, source=Source.LIVE)),))

    assert decode_fleet(encode_fleet(live, plain)).modules[0].observation.source is Source.OBSERVATION


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        changed(format="platformctl/plan"),
        changed(format_version="2.0"),
        changed(at="yesterday"),
        changed(modules=[{"module": "shop"}]),
        changed(modules=json.loads(encode_fleet(FLEET, plain))["modules"] * 2),
    ],
    ids=["nothing", "another format", "another major", "no time", "a part", "twice"],
)
def test_what_is_not_whole_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_fleet(payload)
