"""What a plan shows of a definition: what differs, in few words, and nothing that may be secret."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from platformctl.model.names import Digest
from platformctl.model.observed import Earlier, FileSeen
from platformctl.model.plan import Action, Change
from tests.contracts.releases import a_release
from tests.planning.running_host import Host, running

WEB = "services: {web: {image: 'web:1', %s}}"
MOUNT = "volumes: ['./conf:/etc/conf:ro']"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
CONF = "modules/shop/conf/a"


def keeping(host: Host) -> Host:
    """The host with what it has kept of the release that runs there."""
    files = host.release.files
    earlier = Earlier(
        host.release.compose,
        tuple(FileSeen(file.path, file.digest, file.mode) for file in files),
        {file.digest: file.content for file in files},
    )
    return replace(host, observation=replace(host.observation, earlier=earlier))


def change(
    before: str, after: str, files: Mapping[str, bytes] | None = None, then: Mapping[str, bytes] | None = None
) -> Change:
    """The change of a web service from one definition to another, `files` lying beside them at first, then `then`."""
    host = keeping(running(WEB % before, files)).with_container("web", config_hash="before")
    return host.changes(a_release(WEB % after, files=files if then is None else then))["web"]


def differing(found: Change) -> dict[str, tuple[Any, Any]]:
    """The fields that differ, but for the hash."""
    before, after = found.before or {}, found.after or {}
    names = sorted({*before, *after} - {"config_hash"})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


@pytest.mark.parametrize(
    ("before", "after", "field", "told"),
    [
        ("command: [serve, '-p', '80']", "command: serve -p 81", "command", ("serve -p 80", "serve -p 81")),
        ("ports: ['80:80']", "ports: ['80:80', '81:81']", "ports", (["80:80"], ["80:80", "81:81"])),
        (
            "volumes: ['./a:/a']",
            "volumes: [{type: bind, source: ./a, target: /a, read_only: true}]",
            "volumes",
            (["./a:/a"], ["./a:/a:ro"]),
        ),
        ("labels: [tier=a]", "labels: {tier: b, more: c}", "labels", ({"tier": "a"}, {"tier": "b", "more": "c"})),
        ("mem_limit: 64m", "mem_limit: 96m", "mem_limit", ("64m", "96m")),
        (
            "healthcheck: {test: [CMD, probe], interval: 5s}",
            "healthcheck: {test: [CMD, probe, '-q'], interval: 5s}",
            "healthcheck",
            ({"test": "CMD probe", "interval": "5s"}, {"test": "CMD probe -q", "interval": "5s"}),
        ),
        ("restart: always", "labels: {}", "restart", ("always", None)),
        ("labels: {tier: ''}", "labels: {tier: default}", "labels", ({"tier": ""}, {"tier": "default"})),
        ("labels: {tier: a}", "labels: [tier]", "labels", ({"tier": "a"}, {"tier": ""})),
        (
            "logging: {options: {compress: true}}",
            "logging: {options: {compress: false}}",
            "logging",
            ({"options": {"compress": True}}, {"options": {"compress": False}}),
        ),
        ("entrypoint: /serve", "entrypoint: []", "entrypoint", ("/serve", "")),
        ("restart: always", "restart: always, command: ''", "command", (None, "")),
    ],
)
def test_a_field_that_differs_is_told_with_both_values(before: str, after: str, field: str, told: object) -> None:
    assert differing(change(before, after)) == {field: told}


def test_a_variable_is_told_by_its_name_alone() -> None:
    found = change(f"environment: {{A: one, B: {TOKEN}}}", "environment: {A: two, C: three}")

    assert differing(found) == {"environment": (["A", "B"], ["A (another value)", "C"])}


def test_a_variable_whose_value_is_only_written_otherwise_is_not_another_one() -> None:
    found = change(
        "environment: {A: 1, B: true, C: 0x10, D: 1.0, E: 1_0}", "environment: [A=1, B=true, C=17, D=1, E=10]"
    )

    before = ["A", "B", "C", "D", "E"]
    assert differing(found) == {"environment": (before, ["A", "B", "C (another value)", "D", "E"])}


@pytest.mark.parametrize(
    ("definition", "field", "told"),
    [
        ("command: [serve, --token, '{}']", "command", "serve --token [redacted] (another value)"),
        ("labels: {{api_key: {}, tier: a}}", "labels", {"api_key": "[redacted] (another value)", "tier": "a"}),
        ("logging: {{options: {{token: {}}}}}", "logging", {"options": {"token": "[redacted] (another value)"}}),
        ("security_opt: ['a:b', 'token={}']", "security_opt", ["a:b", "token=[redacted] (another value)"]),
    ],
)
def test_a_field_whose_secret_alone_differs_is_named(definition: str, field: str, told: object) -> None:
    """Else a plan would say that a definition differs, and not where."""
    one, other = (definition.format(f"Tr0ub4dor-and-{number}") for number in (3, 4))
    found = differing(change(one, other))

    assert found.keys() == {field}
    assert found[field][1] == told
    assert differing(change(one, one)) == {}


@pytest.mark.parametrize(
    "definition",
    [
        f"command: [serve, --token, {TOKEN}]",
        "command: ['--password', Tr0ub4dor-and-3]",
        "labels: {api_key: Tr0ub4dor-and-3}",
        "labels: {note: 'postgres://ann:Tr0ub4dor-and-3@db/x'}",
        "healthcheck: {test: 'curl -H \"Authorization: Bearer Tr0ub4dor-and-3\" localhost'}",
        "x-note: {password: Tr0ub4dor-and-3}",
    ],
)
def test_a_secret_in_a_definition_is_not_shown(definition: str) -> None:
    for found in (change("restart: always", definition), change(definition, "restart: always")):
        assert "restart" in differing(found)
        assert TOKEN[:12] not in str(found)
        assert "Tr0ub" not in str(found)


def test_a_mounted_text_is_shown_before_and_after() -> None:
    found = change(MOUNT, MOUNT, {"conf/a": b"one\n", "conf/b": b"same\n"}, {"conf/a": b"two\n", "conf/b": b"same\n"})

    assert differing(found) == {"files": ({CONF: "one\n"}, {CONF: "two\n"})}


def test_a_mounted_file_that_comes_and_one_that_goes_are_shown() -> None:
    found = change(MOUNT, MOUNT, {"conf/old": b"one\n"}, {"conf/new": b"two\n"})

    before, after = differing(found)["files"]
    assert (before, after) == ({"modules/shop/conf/old": "one\n"}, {"modules/shop/conf/new": "two\n"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\0one", b"\0two"),
        (b"\xff\xfe", b"\xff\xff"),
        (b"a\n" * 40_000, b"b\n"),
        (f"token={TOKEN}\n".encode(), f"token={TOKEN[:-1]}x\n".encode()),
    ],
    ids=["binary", "not UTF-8", "long", "only a secret differs"],
)
def test_what_can_not_be_shown_is_told_by_its_digest(before: bytes, after: bytes) -> None:
    found = differing(change(MOUNT, MOUNT, {"conf/a": before}, {"conf/a": after}))["files"]

    assert found == ({CONF: f"{Digest.of(before)} 0644"}, {CONF: f"{Digest.of(after)} 0644"})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("requirepass Tr0ub4dor-and-3", "requirepass [redacted]"),
        ("  bind_password  correct-horse;", "  bind_password  [redacted];"),
        ("masterauth hunter2", "masterauth [redacted]"),
        ("passwords:\n  - hunter2\n  - 'correct horse'", "passwords:\n  - [redacted]\n  - '[redacted]'"),
        ("- api_token:\n\n  - hunter2", "- api_token:\n\n  - [redacted]"),
        ("password:\n  hunter2\nuser: ann", "password:\n  [redacted]\nuser: ann"),
        ("- password: one\n    hunter2 more\n  user: ann", "- password: [redacted]\n    [redacted]\n  user: ann"),
        ("password:\n\n  'hunter2'\nsalt: 1", "password:\n\n  '[redacted]'\nsalt: 1"),
        ("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: [redacted]"),
        ('{"key": "token",\n "value": "hunter2"}', '{"key": "token",\n "value": "[redacted]"}'),
        ("- name: MODE\n  value: fast\n  token_count:\n    3", "- name: MODE\n  value: fast\n  token_count:\n    3"),
        ("- name: token\n- value: one", "- name: token\n- value: one"),
        ("password:\nuser:\n  ann", "password:\nuser:\n  ann"),
        ("conf: |\n  requirepass hunter2\n  save 60", "conf: |\n  requirepass [redacted]\n  save 60"),
        ("listen 8080;\nworkers:\n  - one\n  - two: 2", "listen 8080;\nworkers:\n  - one\n  - two: 2"),
        ("password_file /run/secrets/a", "password_file /run/secrets/a"),
        ("passwords:\nother:\n  - one", "passwords:\nother:\n  - one"),
    ],
)
def test_a_secret_that_a_name_tells_without_a_sign_between_them_is_not_shown(line: str, shown: str) -> None:
    found = differing(change(MOUNT, MOUNT, {"conf/a": b"one\n"}, {"conf/a": f"{line}\nlast\n".encode()}))
    assert found == {"files": ({CONF: "one\n"}, {CONF: f"{shown}\nlast\n"})}


def test_a_secret_of_the_compose_file_is_never_shown() -> None:
    compose = "services: {web: {image: 'web:1', secrets: [key]}}\nsecrets: {key: {file: ./key.txt}}"
    host = keeping(running(compose, {"key.txt": b"plain words\n"})).with_file("key.txt", b"x")
    found = host.changes(a_release(compose, files={"key.txt": b"other words\n"}))["web"]

    assert "words" not in str(found)
    assert list((found.after or {})["files"]) == ["modules/shop/key.txt"]


def test_a_new_service_is_told_whole_and_one_that_stays_in_few_words() -> None:
    host = running(WEB % "command: serve")
    new = replace(host, observation=replace(host.observation, containers=())).changes()["web"]

    assert (new.action, (new.after or {})["command"]) == (Action.CREATE, "serve")
    assert "command" not in (host.changes()["web"].after or {})


def test_without_the_release_before_no_field_of_it_is_guessed() -> None:
    host = running(WEB % "command: serve").with_container("web", config_hash="before")
    found = host.changes(a_release(WEB % "command: other"))["web"]

    assert found.action is Action.RECREATE
    assert "command" not in {**(found.before or {}), **(found.after or {})}
