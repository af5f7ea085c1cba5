"""A plan's payload: the fields of the format, one spelling, and no two stories in one document."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action, Plan
from platformctl.trust.plan_codec import decode_plan, encode_plan
from tests.trust.workshop import a_change, a_plan

FIELDS = (
    "format format_version module host source_sha source_dirty source_repo source_ref created_at expires_at tool "
    "drivers observed speculative trust desired kind files images closure changes resource_changes steps rollback "
    "policy untouched summary exitCode"
)


def document(plan: Plan | None = None) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(encode_plan(plan or a_plan()))
    return loaded


def spelt(**changes: Any) -> bytes:
    return json.dumps({**document(), **changes}).encode()


def altered(path: str, value: Any) -> bytes:
    """The document with one value replaced, or taken out when it is `...`."""
    whole = document()
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    place: Any = whole
    for word in way:
        place = place[word]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(whole).encode()


def test_a_plan_comes_back_as_it_went() -> None:
    assert decode_plan(encode_plan(a_plan())) == a_plan()


def test_the_same_plan_has_one_spelling() -> None:
    assert encode_plan(a_plan()) == encode_plan(decode_plan(encode_plan(a_plan())))


def test_no_field_of_a_plan_is_lost() -> None:
    alone = {"tool_version"}
    assert {field.name for field in fields(Plan)} - alone <= set(FIELDS.split())


def test_the_fields_are_those_of_the_format() -> None:
    assert set(document()) == set(FIELDS.split())
    assert document()["tool"] == {"name": "platformctl", "version": "0.1.0"}
    assert (document()["format"], document()["format_version"]) == ("platformctl/plan", "1.0")


def test_files_and_operations_carry_bare_digests_and_octal_modes() -> None:
    digest = a_plan().files[0].digest.hexadecimal
    file = {"path": "compose/shop/compose.yaml", "sha256": digest, "mode": "0644"}
    assert document()["files"] == [file]
    assert document()["steps"][0] == {
        "id": "files",
        "do": [{"place": file}],
        "undo": [{"remove": {"path": file["path"]}}],
    }
    assert document()["steps"][1]["do"] == [
        {"run": {"argv": ["docker", "compose", "up", "-d", "--", "web"], "timeout": 120}}
    ]


@pytest.mark.parametrize(
    ("action", "actions"),
    [
        (Action.CREATE, ["create"]),
        (Action.RECREATE, ["delete", "create"]),
        (Action.UPDATE, ["update"]),
        (Action.START, ["update"]),
        (Action.DELETE, ["delete"]),
        (Action.KEEP, ["no-op"]),
    ],
)
def test_resource_changes_are_terraforms(action: Action, actions: list[str]) -> None:
    (told,) = document(a_plan(changes=(a_change(action=action),)))["resource_changes"]
    assert told["change"].items() >= {"actions": actions, "before": None, "after": {"image": "web:1"}}.items()
    assert (told["type"], told["name"], told["mode"]) == ("compose_service", "web", "managed")


def test_the_summary_is_one_line_for_people() -> None:
    changes = (a_change("db"), a_change("web", Action.RECREATE), a_change("cache", Action.KEEP))
    told = document(a_plan(changes=changes))
    assert (told["summary"], told["exitCode"]) == ("1 to create, 1 to recreate on rs2000", 1)


def test_a_plan_without_changes_says_so() -> None:
    told = document(a_plan(changes=(a_change(action=Action.KEEP),)))
    assert (told["summary"], told["exitCode"]) == ("no changes on rs2000", 0)


@pytest.mark.parametrize(("field", "value"), [("resource_changes", []), ("summary", "no changes"), ("exitCode", 0)])
def test_a_plan_that_tells_people_something_else_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match="contradicts") as refusal:
        decode_plan(spelt(**{field: value}))
    assert field in refusal.value.detail


def test_resource_changes_may_not_differ_by_a_type_that_python_finds_equal() -> None:
    before = a_plan(changes=(replace(a_change(), after={"count": 1}),))
    whole = document(before)
    whole["resource_changes"][0]["change"]["after"]["count"] = True
    with pytest.raises(InvalidInput, match="contradicts"):
        decode_plan(json.dumps(whole).encode())


def test_fields_of_a_newer_minor_version_are_passed_over() -> None:
    assert decode_plan(spelt(format_version="1.7", later={"a": 1})) == a_plan()


@pytest.mark.parametrize("version", ["2.0", "", "10.0", 1, None, ["1"]])
def test_another_major_version_is_refused(version: Any) -> None:
    with pytest.raises(InvalidInput):
        decode_plan(spelt(format_version=version))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{}", b"\xff", b'{"format": "platformctl/index"}'])
def test_what_is_no_plan_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_plan(payload)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("module", ...),
        ("module", ""),
        ("module", "../etc"),
        ("host.name", 7),
        ("host.port", True),
        ("host", ...),
        ("source_sha", "abc"),
        ("source_dirty", 0),
        ("source_dirty", None),
        ("created_at", "2026-02-30T00:00:00Z"),
        ("created_at", "2026-06-01 00:00:00Z"),
        ("expires_at", 1),
        ("tool.version", ...),
        ("observed.source", "guess"),
        ("files.0.sha256", "sha256:" + "0" * 64),
        ("files.0.mode", "4755"),
        ("files.0.mode", 420),
        ("files.0.path", "../etc/passwd"),
        ("steps.0.do.0.place.path", "/etc/passwd"),
        ("steps.1.do.0.run.argv", "rm -rf /"),
        ("steps.1.do.0.run.timeout", "120"),
        ("steps.1.do.0", {"shell": {"line": "rm"}}),
        ("steps.1.undo", ...),
        ("changes.0.action", "destroy"),
        ("changes.0.destructive", "no"),
        ("rollback.ready", 1),
        ("exitCode", True),
    ],
)
def test_a_field_that_does_not_fit_is_named_without_its_value(path: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_plan(altered(path, value))
    last_name = [word for word in path.split(".") if not word.isdigit()][-1]
    assert last_name in refusal.value.detail or path.rpartition(".")[0].partition(".")[0] in refusal.value.detail
    assert "passwd" not in refusal.value.detail


@pytest.mark.parametrize(
    "text", [b'{"module":"shop","module":"shop"}', b'{"n":1.5}', b'{"n":NaN}', b"[" * 70 + b"]" * 70]
)
def test_json_with_two_meanings_is_refused(text: bytes) -> None:
    payload = encode_plan(a_plan())
    with pytest.raises(InvalidInput):
        decode_plan(payload[:-1] + b',"later":' + text + b"}")


@pytest.mark.parametrize("target", ["volume.data", "compose.network.web", "web", "compose.service"])
def test_a_target_of_an_unknown_form_is_refused_by_policy(target: str) -> None:
    with pytest.raises(PolicyViolation):
        decode_plan(altered("changes.0.target", target))


def test_a_target_names_its_service() -> None:
    (change,) = decode_plan(altered("changes.0.address", "rs2000/shop/web")).changes
    assert change.service == ServiceName("web")
