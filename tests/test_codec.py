"""What is written as JSON comes back as it was, and what was not written by us is refused without repeating it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.errors import InvalidInput, Refusal, ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.names import Digest, GitSha, HostName, ModuleId, RepoPath
from platformctl.model.observed import Source
from platformctl.model.plan import Action, Cause, Change, Place, PlannedFile, PlannedImage, Remove, Run, Step
from platformctl.model.state import ModuleStatus, RunningContainer

DIGEST = Digest.parse("sha256:" + "a" * 64)
STEP = Step(
    id="1",
    do=(Place(RepoPath.parse("a/b"), DIGEST, 0o644), Run(("docker", "compose"), 30)),
    undo=(Remove(RepoPath.parse("a/b")),),
)
STATUS = ModuleStatus(
    module=ModuleId.parse("web"),
    host=HostName.parse("rs2000"),
    last_apply_sha=GitSha.parse("b" * 40),
    last_apply_pr=7,
    plan_digest=DIGEST,
    applied_at="2025-01-01T00:00:00Z",
    desired=DIGEST,
    inputs=DIGEST,
    files=(PlannedFile(RepoPath.parse("compose.yaml"), DIGEST, 0o644),),
    images=(PlannedImage("redis:7", None, DIGEST),),
    containers=(RunningContainer("web", "c1", DIGEST),),
    previous=None,
    attempt={"outcome": "APPLIED"},
    serial=3,
)


def refusal_of(action: Callable[[], Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        action()
    return caught.value


def test_a_status_comes_back_as_it_was() -> None:
    text = strict_json.dump(encode(STATUS))
    assert decode(ModuleStatus, strict_json.load(text, "the status"), "the status") == STATUS


def test_operations_carry_the_name_of_their_kind() -> None:
    data = encode(STEP)
    assert data["do"][1] == {"run": {"argv": ["docker", "compose"], "timeout": 30}}
    assert data["undo"] == [{"remove": {"path": "a/b"}}]
    assert decode(Step, data, "the step") == STEP


@dataclass(frozen=True)
class Seen:
    source: Source
    kept: frozenset[Digest] = frozenset()


def test_enums_sets_and_free_form_values_come_back() -> None:
    change = Change(
        address="rs2000/web",
        service=STATUS.module,  # type: ignore[arg-type]
        action=Action.RECREATE,
        causes=(Cause.DEFINITION, Cause.DEPENDENCY),
        before={"image": "a", "ports": [1, 2], "inner": {"x": None}},
        after=None,
        destructive=False,
        reason="definition changed",
    )
    assert decode(Change, encode(change), "the change") == change
    seen = Seen(Source.LIVE, frozenset({DIGEST, Digest.parse("sha256:" + "0" * 64)}))
    assert encode(seen) == {"source": "live", "kept": ["sha256:" + "0" * 64, DIGEST]}
    assert decode(Seen, encode(seen), "what was seen") == seen


def test_names_are_checked_again_when_they_come_back() -> None:
    decoded = decode(Step, encode(STEP), "the step").do[0]
    assert isinstance(decoded, Place)
    assert type(decoded.path) is RepoPath


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda data: data["do"][1]["run"].update(timeout="hunter2"), "do[1].run.timeout: expected a whole number"),
        (lambda data: data["do"][1]["run"].update(timeout=True), "do[1].run.timeout: expected a whole number"),
        (lambda data: data["do"][0]["place"].update(path="../hunter2"), "do[0].place.path: expected a relative path"),
        (lambda data: data["do"].append({"hunter2": {}}), "do[2]: expected an object with one key of run, place"),
        (lambda data: data["do"].append({"run": {}, "place": {}}), "do[2]: expected an object with one key of run"),
        (lambda data: data["do"].append([]), "do[2]: expected an object with one key of run"),
        (lambda data: data.pop("undo"), "undo: is missing"),
        (lambda data: data.update(undo={}), "undo: expected a list"),
        (lambda data: data.update(id=None), "id: expected a string"),
        (lambda data: data.update(hunter2="hunter2"), "the whole: has fields that are not among do, id, undo"),
    ],
)
def test_what_does_not_fit_is_named_by_place_and_never_by_value(change: Callable[[Any], None], place: str) -> None:
    data = encode(STEP)
    change(data)
    refusal = refusal_of(lambda: decode(Step, data, "the plan"))
    assert isinstance(refusal, InvalidInput)
    assert refusal.detail.startswith(f"the plan: {place}")
    assert "hunter2" not in refusal.detail + refusal.summary


def test_an_enum_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(Seen, {"source": ["live"]}, "what was seen")
    assert caught.value.detail == "what was seen: source: expected one of live, observation, state"


def test_unknown_fields_are_passed_over_only_when_asked() -> None:
    data = encode(STEP) | {"later": 1}
    data["do"][1]["run"]["later"] = 1
    assert decode(Step, data, "the step", ignore_unknown=True) == STEP
    with pytest.raises(InvalidInput):
        decode(Step, data, "the step")


def test_the_caller_chooses_the_kind_of_refusal() -> None:
    assert isinstance(refusal_of(lambda: decode(Step, 1, "x", refusal=ToolError)), ToolError)
    assert isinstance(refusal_of(lambda: strict_json.load(b"{", "x", refusal=ToolError)), ToolError)


@dataclass(frozen=True)
class Careless:
    content: bytes


def test_a_type_that_has_no_json_form_is_our_mistake() -> None:
    with pytest.raises(TypeError):
        encode(Careless(b""))
    with pytest.raises(TypeError):
        decode(Careless, {"content": ""}, "x")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a": 1, "a": 2}', "an object has the same key twice"),
        (b'{"a": [{"b": 1, "b": 1}]}', "an object has the same key twice"),
        (b"[NaN]", "a number is not a whole number"),
        (b"[-Infinity]", "a number is not a whole number"),
        (b"[1.0]", "a number is not a whole number"),
        (b"[1e3]", "a number is not a whole number"),
        (b"[9007199254740992]", "a whole number is too large"),
        (b"[" + b"9" * 5000 + b"]", "a whole number is too large"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64"),
        (b'{"a":' * 100_000, "nested deeper than 64"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\\ud800"]', "not UTF-8"),
        (b"\xef\xbb\xbf[]", "not JSON at line 1, column 1"),
        (b'["hunter2",\n oops]', "not JSON at line 2, column 2"),
        (b"[] []", "not JSON at line 1, column 4"),
        (b"", "not JSON at line 1, column 1"),
        (b" " * (16 * 1024 * 1024) + b"[]", "longer than 16777216 bytes"),
    ],
)
def test_json_that_two_readers_could_read_differently_is_refused(text: bytes, problem: str) -> None:
    assert refusal_of(lambda: strict_json.load(text, "the file")).detail == f"the file: {problem}"


def test_sixty_four_levels_are_read() -> None:
    assert strict_json.load(b"[" * 64 + b"]" * 64, "x")


@pytest.mark.parametrize("value", [1.5, float("nan"), {1: 2}, {"a": b""}, [set()], 2**53])
def test_what_could_not_be_read_back_is_not_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        strict_json.dump(value)


def test_equal_values_have_one_spelling() -> None:
    assert strict_json.dump({"b": 1, "a": ("é", None)}) == '{"a":["é",null],"b":1}'.encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(VALUES)
def test_everything_written_is_read_back_alike_by_any_reader(value: Any) -> None:
    text = strict_json.dump(value)
    assert strict_json.load(text, "x") == value == json.loads(text)
    assert b"\n" not in text


@given(st.binary())
def test_no_bytes_do_more_than_be_refused(text: bytes) -> None:
    try:
        value = strict_json.load(text, "x")
    except InvalidInput:
        return
    assert strict_json.load(strict_json.dump(value), "x") == value
