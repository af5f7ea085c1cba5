"""A compose file is read into one syntax, and what can not be understood is refused with its line."""

import json
import os
import posixpath
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput
from platformctl.manifests.compose import read_compose
from platformctl.model.compose import ComposeModel
from platformctl.model.names import RepoPath, ServiceName
from platformctl.redaction import Redactor

FILE = RepoPath("compose/core/compose.yaml")
WEB = ServiceName("web")


def read(text: str, **variables: str) -> ComposeModel:
    return read_compose(text.encode(), FILE, variables)


def web(*lines: str) -> str:
    return "services:\n  web:\n    image: redis:7\n" + "".join(f"    {line}\n" for line in lines)


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    return caught.value


DATABASES = "  db: {image: postgres}\n  other: {image: postgres}\n"


@pytest.mark.parametrize(
    "line",
    [
        "depends_on: [db, other]",
        "depends_on: {db: {condition: service_healthy}, other: {condition: service_started, required: false}}",
        "links: [db, 'other:alias']",
        "volumes_from: [db, 'other:ro', 'container:stranger']",
        "depends_on: [db]\n    network_mode: service:other",
        "pid: service:db\n    ipc: service:other",
    ],
)
def test_what_a_service_starts_or_looks_at_is_what_it_needs(line: str) -> None:
    model = read(web(line) + DATABASES)

    assert set(model.services[WEB].needs) == {"db", "other"}
    assert model.closure(next(iter(model.services)))[-1] == "web"


OPTIONAL = "depends_on: {db: {condition: service_started, required: false}, other: {}}"


@pytest.mark.parametrize(
    ("line", "db", "expected"),
    [
        (OPTIONAL, "profiles: [debug]", {"web", "other"}),
        (f"{OPTIONAL}\n    links: [db]", "profiles: [debug]", {"web", "other"}),
        (f"{OPTIONAL}\n    profiles: [trace, debug]", "profiles: [debug]", {"web", "db", "other"}),
        (f"{OPTIONAL}\n    profiles: [trace]", "profiles: [debug]", {"web", "other"}),
        (OPTIONAL, "profiles: []", {"web", "db", "other"}),
        (OPTIONAL.replace("false", "true"), "profiles: [debug]", {"web", "db", "other"}),
        ("depends_on: [db, other]", "profiles: [debug]", {"web", "db", "other"}),
    ],
)
def test_compose_does_without_what_no_profile_brings_only_where_it_may(line: str, db: str, expected: set[str]) -> None:
    model = read(web(line) + f"  db: {{image: postgres, {db}}}\n  other: {{image: postgres}}\n")

    assert set(model.closure(ServiceName("web"))) == expected


def test_profiles_of_a_needed_service_bring_nothing() -> None:
    """Compose enables those of the service that `up` names."""
    model = read(
        web("depends_on: [other]")
        + "  other: {image: postgres, profiles: [x], depends_on: {db: {condition: service_started, required: false}}}\n"
        + "  db: {image: postgres, profiles: [x]}\n"
    )

    assert model.closure(ServiceName("web")) == ("other", "web")


def test_files_a_container_sees_are_named_by_their_path_in_the_repository() -> None:
    model = read(
        web(
            "volumes:",
            "  - ./nginx.conf:/etc/nginx.conf:ro",
            "  - ../shared/certs:/certs",
            "  - .hidden:/hidden",
            "  - data:/data",
            "  - /srv/media:/media",
            "  - ~/notes:/notes",
            "  - {type: bind, source: plain/file, target: /file}",
            "configs: [site, {source: inline, target: /inline}]",
            "secrets: [{source: key}]",
        )
        + "volumes: {data: }\n"
        + "configs: {site: {file: site.conf}, inline: {content: text}}\nsecrets: {key: {file: ../../keys/key}}\n"
    )

    assert model.services[WEB].mounted == (
        "compose/core/nginx.conf",
        "compose/shared/certs",
        "compose/core/.hidden",
        "compose/core/plain/file",
        "compose/core/site.conf",
        "keys/key",
    )
    assert model.volumes == ("data",)


def test_a_path_that_leaves_the_repository_is_left_to_policy() -> None:
    model = read(web("volumes: ['../../../etc:/etc', '../..:/all']", "env_file: ../../../outside.env"))

    assert model.services[WEB].mounted == ()
    assert model.services[WEB].env_files == ()
    assert [mount["source"] for mount in model.services[WEB].definition["volumes"]] == ["../../../etc", "../.."]


@pytest.mark.parametrize(
    "line",
    ["env_file: a.env", "env_file: [a.env]", "env_file: [{path: ./a.env, required: false, format: raw}]"],
)
def test_each_form_of_env_file_names_the_same_file(line: str) -> None:
    assert read(web(line)).services[WEB].env_files == ("compose/core/a.env",)


@pytest.mark.parametrize(
    ("line", "optional"),
    [
        ("env_file: [{path: ./a.env, required: false}]", {"compose/core/a.env"}),
        ("env_file: [{path: ../shared/./a.env, required: '${NEVER:-false}'}]", {"compose/shared/a.env"}),
        ("env_file: [{path: a.env, required: false}, conf/a.env]", {"compose/core/a.env"}),
        ("env_file: [{path: a.env, required: no}]", {"compose/core/a.env"}),
        ("env_file: [{path: a.env, required: false}, ./a.env]", set()),
        ("env_file: [{path: a.env, required: true}, {path: b.env}]", set()),
    ],
)
def test_an_env_file_may_be_absent_where_no_entry_asks_for_it(line: str, optional: set[str]) -> None:
    assert read(web(line)).services[WEB].may_be_absent == optional


@pytest.mark.parametrize("line", ["environment: {A: x, B: }", "environment: [A=x, B]"])
def test_each_form_of_environment_reads_the_same(line: str) -> None:
    assert read(web(line)).services[WEB].definition["environment"] == {"A": "x", "B": None}


def test_each_form_of_a_bind_mount_reads_the_same() -> None:
    short = read(web("volumes: ['./a:/a:ro']"))
    long = read(web("volumes: [{type: bind, source: ./a, target: /a, read_only: true}]"))

    assert short.services[WEB].definition["volumes"] == long.services[WEB].definition["volumes"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("healthcheck: {test: [CMD, 'true']}", True),
        ("healthcheck: {test: curl localhost}", True),
        ("healthcheck: {test: [NONE]}", False),
        ("healthcheck: {test: [CMD, 'true'], disable: true}", False),
        ("healthcheck: {test: [CMD, 'true'], disable: yes}", False),
        ("healthcheck: {test: [CMD, 'true'], disable: no}", True),
        ("healthcheck: {interval: 5s}", False),
        ("restart: always", False),
    ],
)
def test_a_health_check_is_one_that_checks_something(line: str, expected: bool) -> None:
    assert read(web(line)).services[WEB].has_healthcheck is expected


def test_anchors_and_merge_keys_are_followed_and_written_keys_win() -> None:
    model = read(
        "x-common: &common {image: 'redis:7', user: '1000', restart: always}\n"
        "services:\n  web:\n    <<: *common\n    user: '2000'\n"
    )

    assert model.services[WEB].definition == {"image": "redis:7", "user": "2000", "restart": "always"}


def test_variables_come_from_what_is_set_and_from_defaults() -> None:
    model = read("services: {web: {image: 'redis:${TAG}', user: '${OWNER:-1000}'}}", TAG="7")

    assert model.services[WEB].image == "redis:7"
    assert model.services[WEB].definition["user"] == "1000"
    assert model.unset == ()


def test_an_unset_variable_is_reported_with_its_place_unless_it_is_in_an_environment_value() -> None:
    model = read(
        "x-note: $NOTE\n"
        "x-common: &common {command: $COMMAND, environment: {INHERITED: $INHERITED}}\n"
        + web("<<: *common", "labels: {a: $LABEL}", "environment: {PASSWORD: $PASSWORD}")
    )

    assert set(model.unset) == {("COMMAND", "services.web.command"), ("LABEL", "services.web.labels.a")}


def test_an_environment_value_that_only_the_host_can_give_is_reported_with_its_place() -> None:
    names = "'${NONE}', B: '${SET}', C: '${DEFAULT-}', D: '${ASKED:?}', E: '$HOME', F: '$$NOT'"
    model = read(web(f"environment: {{A: {names}}}") + "x-note: {environment: {A: $NOTE}}\n", SET="1")

    assert model.left_to_host == (("NONE", "services.web.environment.A"), ("ASKED", "services.web.environment.D"))
    assert read(web("environment: ['A=$NONE']")).left_to_host == (("NONE", "services.web.environment.0"),)


def test_a_service_called_like_a_key_does_not_hide_its_unset_variables() -> None:
    model = read("services:\n  web.environment:\n    image: $IMAGE\n")

    assert model.unset == (("IMAGE", "services.web.environment.image"),)


def test_a_default_can_not_be_decided_by_the_host_behind_the_judge() -> None:
    text = (
        web("volumes: ['${DATA:-data}:/data']", "environment: {A: '${SECRET}', B: '${DATA}'}") + "volumes: {data: }\n"
    )

    assert read(text, DATA="data").deciding == (("DATA", "services.web.volumes.0"),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ("services: []", 1),
        ("services: {}", 1),
        ("version: '3'\n", 1),
        ("services:\n  web: nginx\n", 2),
        ("services:\n  --privileged: {image: x}\n", 2),
        (web("depends_on: db"), 4),
        (web("depends_on: [db]"), 2),
        (web("volumes: {a: b}"), 4),
        (web("volumes: ['data:/data']"), 2),
        (web("volumes: ['a:b:c:d']"), 4),
        (web("volumes: ['::']"), 4),
        (web("volumes: ['c:/data']"), 4),
        (web("volumes: [{source: ./a, target: /a}]"), 4),
        (web("volumes: [{type: bind, target: /a}]"), 4),
        (web("configs: [site]"), 2),
        (web("networks: [front]"), 2),
        (web("env_file: [{required: false}]"), 4),
        (web("environment: [[A]]"), 4),
        (web("environment: {A: {B: c}}"), 4),
        (web("cap_add: {SYS_ADMIN: true}"), 4),
        (web("command: ${"), 4),
        (web() + "volumes: [data]\n", 4),
    ],
)
def test_what_can_not_be_understood_is_refused_with_file_and_line(text: str, line: int) -> None:
    error = refusal(text)

    assert (error.file, error.line) == (FILE, line)
    assert error.detail


def test_what_is_wrong_is_told_also_beside_a_name_that_tells_of_a_secret() -> None:
    """Behind `DB_PASSWORD: ` anything would be taken for the secret."""
    with pytest.raises(InvalidInput) as caught:
        read(web("environment: {DB_PASSWORD: '${X'}"))
    assert Redactor().clean(caught.value.detail) == "${ is not closed (services.web.environment.DB_PASSWORD)"


def test_a_refusal_never_repeats_a_value() -> None:
    error = refusal(web("environment: {PASSWORD: {hunter2: hunter2}}"))

    assert "hunter2" not in f"{error.summary} {error.detail} {error.hint}"


def test_a_volume_that_an_unset_variable_broke_is_refused_with_the_variable_as_the_cause() -> None:
    error = refusal(web("volumes: ['${DATA}:/data']"))

    assert "DATA" in error.hint


def test_a_bomb_of_anchors_is_refused() -> None:
    layers = "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))

    assert "too many" in refusal("x-0: &a0 [x]\n" + layers + web()).summary


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=12,
    ),
    st.sampled_from(
        ["volumes", "environment", "depends_on", "env_file", "configs", "networks", "healthcheck", "image"]
    ),
)
def test_any_value_of_any_key_is_read_or_refused(value: Any, key: str) -> None:
    text = json.dumps({"services": {"web": {"image": "x", key: value}}})
    try:
        model = read(text)
    except InvalidInput:
        return
    assert set(model.services) == {"web"}


MOUNTS = [
    "./a:/a",
    "../a:/a:ro",
    ".a:/a",
    "a/b:/a",
    "data:/data",
    "data:/data:ro,z",
    "/anonymous",
    "/opt/../etc:/etc",
    "~/x:/x",
    "~x:/x",
    "./a:/a:rw,rshared",
    "./a:/a:ro,rw",
    "./a:/a:rw,z,ro",
    "./a:/a:RO",
    "./a:/a:ro ,z",
    "./a:/a:rshared,private",
    "..:/up",
    ".:/here",
    "...:/odd",
    "d:/drive",
    "data:/d:x:y",
    ":/a",
    "a:",
]


def _compose_is_missing() -> bool:
    docker = shutil.which("docker")
    return docker is None or bool(subprocess.run([docker, "compose", "version"], capture_output=True).returncode)


@pytest.mark.skipif(_compose_is_missing(), reason="there is no docker compose to compare with")
@pytest.mark.parametrize("spec", MOUNTS)
def test_compose_itself_reads_every_accepted_volume_in_the_same_way(spec: str, tmp_path: Path) -> None:
    text = web(f"volumes: [{json.dumps(spec)}]") + "volumes: {data: }\n"
    try:
        ours = read(text).services[WEB].definition["volumes"][0]
    except InvalidInput:
        return

    theirs = _as_compose_reads_it(text, tmp_path)

    assert (theirs["type"], theirs["target"]) == (ours["type"], ours["target"])
    assert bool(theirs.get("read_only")) is bool(ours.get("read_only"))
    assert theirs.get("bind", {}).get("propagation") == ours.get("bind", {}).get("propagation")
    if ours["type"] == "bind" and not ours["source"].startswith("~"):
        assert theirs["source"] == posixpath.join(tmp_path, ours["source"]) or theirs["source"] == posixpath.normpath(
            posixpath.join(tmp_path, ours["source"])
        )
    elif ours["type"] == "volume":
        assert theirs.get("source") == ours.get("source")


def _as_compose_reads_it(text: str, folder: Path) -> dict[str, Any]:
    (folder / "compose.yaml").write_text(text)
    answer = subprocess.run(
        ["docker", "compose", "-f", "compose.yaml", "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        check=True,
    )
    mount: dict[str, Any] = json.loads(answer.stdout)["services"]["web"]["volumes"][0]
    return mount


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("depends_on: [dbb]", "did you mean db?"),
        ("volumes: ['dta:/data']", "did you mean data?"),
        ("networks: [nowhere]", "declare nowhere in networks"),
    ],
)
def test_what_is_not_there_is_told_with_what_may_have_been_meant(line: str, hint: str) -> None:
    text = f"services: {{web: {{image: 'web:1', {line}}}, db: {{image: 'db:1'}}}}\nvolumes: {{data: {{}}}}\n"

    assert refusal(text).hint == hint
