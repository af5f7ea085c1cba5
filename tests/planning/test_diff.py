"""What would happen to each container and why, from a release and a host in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from platformctl.drivers.compose_settings import wanted_settings
from platformctl.drivers.docker_compose import DockerCompose
from platformctl.errors import PolicyViolation
from platformctl.model.desired import FileChange, Module, ModuleKind, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import (
    Container,
    Earlier,
    FileSeen,
    Identity,
    ImageSeen,
    Observation,
    ResourceSeen,
    Source,
)
from platformctl.model.plan import Action, Cause, Change, PlannedImage
from platformctl.model.state import HostRecord
from platformctl.planning.build import resolve_images
from platformctl.planning.diff import diff
from platformctl.planning.spreading import done
from platformctl.planning.wanted import Wanted
from platformctl.redaction import Redactor
from tests.contracts.releases import MODULE, a_release

hide = Redactor().clean
IMAGE = Digest.of(b"image")
WHO = Identity(1000, "agent", "m", "e", "28.2.2", "amd64", "2.26.1", "", 1780000000, "/home/agent", "/usr/bin:/bin")
CONFIGURED = "services: {web: {image: 'web:1', volumes: ['./conf:/etc/conf']}}"
FILES = {"conf/a": b"1"}
WITH_ENV_FILE = "services: {web: {image: 'web:1', env_file: ['./web.env'], volumes: ['./conf:/etc/conf']}}"
NETWORK = ResourceSeen(
    "shop_default",
    {"driver": "bridge", "driver_opts": {}, "labels": {}, "internal": False, "attachable": False, "enable_ipv6": False}
    | {"subnets": ["172.18.0.0/16"]},
    "n" * 64,
)
VOLUME = {"driver": "local", "driver_opts": {}, "labels": {}}
SETTINGS = wanted_settings({})
IGNORING = replace(MODULE, on_file_change=FileChange.IGNORE)


@dataclass(frozen=True)
class Host:
    """A host on which `release` runs as it is wanted; a test changes what it is about."""

    release: Release
    observation: Observation

    def changes(
        self,
        release: Release | None = None,
        record: HostRecord | None = None,
        foreign: frozenset[ServiceName] = frozenset(),
    ) -> Mapping[str, Change]:
        """By service, for the release that runs or for another one, on a host that remembers nothing or `record`."""
        wanted = release or self.release
        refs = (image for service in wanted.compose.services.values() if (image := service.image))
        images = {ref: PlannedImage(ref, None, IMAGE) for ref in refs}
        record = record or HostRecord(wanted.module.id, 1)
        found = diff(Wanted(wanted, self.observation, images, record, DockerCompose(), hide, foreign))
        return {change.service: change for change in found}

    def with_file(self, name: str, content: bytes) -> "Host":
        """Another content of the file that ends so."""
        files = tuple(
            replace(file, digest=Digest.of(content)) if file.path.endswith(name) else file
            for file in self.observation.files
        )
        return replace(self, observation=replace(self.observation, files=files))

    def with_container(self, service: str, **about: object) -> "Host":
        """Another state of a service's container."""
        containers = tuple(
            replace(each, **about) if each.service == service else each  # type: ignore[arg-type]
            for each in self.observation.containers
        )
        return replace(self, observation=replace(self.observation, containers=containers))


def running(compose: str, files: Mapping[str, bytes] | None = None, module: Module = MODULE) -> Host:
    """A host on which the release of these files runs."""
    release = a_release(compose, files=files, module=module)
    observation = Observation(
        source=Source.LIVE,
        at="2026-06-01T12:00:00Z",
        identity=WHO,
        containers=tuple(container(name, release) for name in release.closure),
        files=tuple(FileSeen(file.path, file.digest, file.mode) for file in release.files),
        images=(),
        hashes={name: hash_of(name) for name in release.closure},
        networks=(NETWORK,),
        volumes=tuple(ResourceSeen(f"shop_{name}", VOLUME) for name in release.compose.volumes),
    )
    return Host(release, observation)


def hash_of(service: str) -> str:
    return Digest.of(service.encode()).hexadecimal


def container(service: ServiceName, release: Release) -> Container:
    return Container(
        id=hash_of(f"id of {service}"),
        name=f"shop-{service}-1",
        service=service,
        image_id=IMAGE,
        image_ref=release.compose.services[service].image or "",
        config_hash=hash_of(service),
        compose_version="2.26.1",
        state="running",
        health=None,
        exit_code=0,
        restarts=0,
        started_at="2026-06-01T12:00:00Z",
        settings={**SETTINGS, **wanted_settings(release.compose.services[service].definition)},
        networks={NETWORK.name: NETWORK.id},
        compose_file=f"{release.host.root}/{release.module.runtime.compose_file}",
    )


def test_what_runs_as_it_is_wanted_is_kept() -> None:
    change = running(CONFIGURED, FILES).changes()["web"]

    assert (change.action, change.causes) == (Action.KEEP, ())


@pytest.mark.parametrize(
    ("module", "action"), [(MODULE, Action.RECREATE), (IGNORING, Action.UPDATE)], ids=["recreate", "ignore"]
)
def test_a_mounted_file_that_changed_does_what_the_manifest_says(module: Module, action: Action) -> None:
    change = running(CONFIGURED, FILES, module).with_file("conf/a", b"2").changes()["web"]

    assert (change.action, change.causes) == (action, (Cause.FILE_CONTENT,))


def test_an_env_file_makes_a_new_container_whatever_is_said_of_mounted_files() -> None:
    host = running(WITH_ENV_FILE, {**FILES, "web.env": b"A=1\n"}, IGNORING)

    assert host.with_file("web.env", b"A=2\n").changes()["web"].action is Action.RECREATE


def test_an_ignored_file_hides_nothing_else() -> None:
    host = running(CONFIGURED, FILES, IGNORING).with_file("conf/a", b"2")

    stopped = host.with_container("web", state="exited").changes()["web"]
    other = host.with_container("web", image_id=Digest.of(b"other")).changes()["web"]

    assert (stopped.action, stopped.causes) == (Action.START, (Cause.FILE_CONTENT, Cause.UNHEALTHY))
    assert (other.action, other.causes) == (Action.RECREATE, (Cause.IMAGE_DIGEST, Cause.FILE_CONTENT))


def test_a_one_shot_whose_file_is_ignored_runs_again_with_the_others() -> None:
    compose = """services:
      web: {image: 'web:1', depends_on: {job: {condition: service_completed_successfully}}}
      job: {image: 'job:1', volumes: ['./conf:/etc/conf']}
    """
    host = running(compose, FILES, IGNORING).with_container("job", state="exited").with_file("conf/a", b"2")

    assert host.changes()["job"].action is Action.UPDATE
    assert host.with_container("web", config_hash="x").changes()["job"].action is Action.START


# --- what was done by hand ------------------------------------------------------------------------


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


def test_a_container_with_another_volume_than_it_is_to_mount_is_made_again() -> None:
    """Compose's hash has no names of volumes."""
    mounting = "services: {web: {image: 'web:1', volumes: ['data:/data/']}}\nvolumes: {data: {%s}}"
    host = running(mounting % "").with_container("web", volumes={"/data": "shop_data", "/other": "shop_other"})
    change = host.changes(a_release(mounting % "name: another"))["web"]

    assert host.changes()["web"].action is Action.KEEP
    assert (change.action, change.causes, change.is_forced) == (
        Action.RECREATE,
        (Cause.VOLUME, Cause.NEW_VOLUME),
        True,
    )
    assert [fields and fields["names"] for fields in (change.before, change.after)] == [
        {"volumes": ["shop_data"]},
        {"volumes": ["another"]},
    ]


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


@pytest.mark.parametrize(
    ("state", "code", "ended"),
    [("exited", 0, {"init"}), ("exited", 1, set()), ("created", 0, set()), ("running", 0, set())],
)
def test_a_one_shot_is_done_when_it_ended_well(state: str, code: int, ended: set[str]) -> None:
    """One that was put back without being run is not."""
    waits = "depends_on: {init: {condition: service_completed_successfully}}"
    host = running(f"services: {{web: {{image: 'web:1', {waits}}}, init: {{image: 'db:1'}}}}")
    host = host.with_container("init", state=state, exit_code=code)

    assert done(host.release, host.observation, DockerCompose()) == ended


def test_a_volume_that_is_made_is_said() -> None:
    with_volume = "services: {web: {image: 'web:1', volumes: ['data:/data']}}\nvolumes: {data: {}}"
    host = running(with_volume)
    without = replace(host, observation=replace(host.observation, volumes=(), containers=()))

    assert host.with_container("web", config_hash="x").changes()["web"].causes == (Cause.DEFINITION,)
    assert without.changes()["web"].causes == (Cause.MISSING, Cause.NEW_VOLUME)
    assert without.changes()["web"].action is Action.CREATE


def test_another_number_of_containers_touches_nobody_who_needs_them() -> None:
    """Compose makes or removes as many as it takes, and the hash of the others stays (seen with 2.26.1)."""
    needed = "services: {{web: {{image: 'web:1', depends_on: [db]}}, db: {{image: 'db:1', scale: {scale}}}}}"
    more = a_release(needed.format(scale=2))
    changes = running(needed.format(scale=1)).changes(more)

    assert (changes["db"].action, changes["db"].causes) == (Action.RECREATE, (Cause.DEFINITION,))
    assert changes["web"].action is Action.KEEP


def test_a_service_of_no_container_has_none_and_asks_for_none() -> None:
    needed = "services: {{web: {{image: 'web:1', depends_on: [db]}}, db: {{image: 'db:1', scale: {scale}}}}}"
    host = running(needed.format(scale=1))
    none = a_release(needed.format(scale=0))
    gone = replace(host, observation=replace(host.observation, containers=host.observation.of(ServiceName("web"))))

    assert (host.changes(none)["db"].action, host.changes(none)["db"].after) == (Action.DELETE, None)
    assert host.changes(none)["web"].action is Action.KEEP
    assert gone.changes(none)["db"].action is Action.KEEP
    assert gone.changes()["db"].action is Action.CREATE


@pytest.mark.parametrize("kind", [ModuleKind.SERVICE, ModuleKind.JOB])
def test_nothing_drags_along_what_has_no_container(kind: ModuleKind) -> None:
    module = replace(MODULE, kind=kind)
    none = a_release(
        "services: {web: {image: 'web:1', depends_on: [db], scale: 0}, db: {image: 'db:1'}}", module=module
    )
    host = running("services: {web: {image: 'web:1', depends_on: [db]}, db: {image: 'db:1'}}", module=module)
    gone = replace(host, observation=replace(host.observation, containers=host.observation.of(ServiceName("db"))))
    changes = gone.with_container("db", config_hash="x").changes(none)

    assert [changes[name].action for name in ("db", "web")] == [Action.RECREATE, Action.KEEP]


def test_who_asks_to_be_started_again_is_named_and_not_made_anew() -> None:
    """Seen with Compose 5.6: it stops the container and starts the same one."""
    asks = "{db: {condition: service_started, restart: true}}"
    compose = f"services: {{web: {{image: 'web:1', depends_on: {asks}}}, db: {{image: 'db:1'}}}}"
    host = running(compose).with_container("db", config_hash="x")
    newer = replace(host, observation=replace(host.observation, identity=replace(WHO, compose_version="5.6.1")))
    named = {"old": host.changes(), "new": newer.changes(), "both": newer.with_container("web", image_id="x").changes()}

    found = {name: (changes["web"].action, changes["web"].causes) for name, changes in named.items()}
    assert found == {
        "old": (Action.RECREATE, (Cause.DEPENDENCY,)),
        "new": (Action.START, (Cause.DEPENDENCY,)),
        "both": (Action.RECREATE, (Cause.IMAGE_DIGEST,)),
    }


def test_an_image_that_can_not_be_resolved_is_told_by_its_own_line_and_by_who_was_asked() -> None:
    compose = "services:\n  web: {image: 'web:1', depends_on: [db]}\n  db:\n    image: db:1\n    %s\n"

    def refused(policy: str) -> PolicyViolation:
        host = running(compose % policy)
        seen = (ImageSeen("db:1", None, present=False), ImageSeen("web:1", IMAGE))
        with pytest.raises(PolicyViolation) as caught:
            resolve_images(host.release, replace(host.observation, images=seen), {})
        return caught.value

    plain, moving = refused("restart: always"), refused("pull_policy: daily")
    assert (plain.line, moving.line) == (4, 4)
    name = plain.host
    assert plain.detail == f"neither {name} nor a registry it may ask knows: db:1"
    assert moving.detail == f"its registry, which pull_policy has asked whatever {name} has, does not tell: db:1"
