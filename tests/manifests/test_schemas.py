"""The shapes that check and the schemas that are published say the same, and say it well."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from platformctl.manifests import schemas
from platformctl.manifests.load import InvalidManifest, read_hosts, read_module, read_policy
from platformctl.manifests.schemas import HOSTS, MODULE, POLICY, generate
from platformctl.manifests.shapes import Fields, Items, Named, Shape, Text, Variants
from platformctl.manifests.yaml_text import parse
from platformctl.model.names import RepoPath

DOCS = Path(__file__).parents[2] / "docs"
PIN = "0f6c2a9b4d1e4e7f8a3b5c6d7e8f9a0b"
KEY = "SHA256:" + "q7Zt" * 10 + "c3Q"

EXAMPLES: Mapping[str, tuple[Fields, Any]] = {
    "module.v1.schema.json": (MODULE, parse((DOCS / "module.example.yaml").read_bytes(), "example").value),
    "hosts.v1.schema.json": (HOSTS, parse((DOCS / "hosts.example.yaml").read_bytes(), "example").value),
    "policy.v1.schema.json": (
        POLICY,
        {
            "approvals": {"required": 1, "destructive": 2, "per_host": {"rs2000": 2}, "hardware_only": False},
            "plan": {"expires_in": "24h", "require_merged": True},
            "rollback": {"preapproved": "previous", "max_age": "30d"},
            "phase": 5,
            "images": {"allow": ["*"], "require_digest": False},
            "forge": {
                "kind": "forgejo",
                "url": "https://forge.example",
                "repository": "platform/infra",
                "reviewers": ["ann", "ben"],
                "checks": ["plan / plan (pull_request)"],
                "reviews": 2,
                "required": True,
            },
            "sacred_paths": ["secrets"],
            "waivers": [{"module": "proxy", "rule": "docker-socket", "reason": "labels", "expires": "2027-01-31"}],
        },
    ),
}
JUNK: st.SearchStrategy[object] = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            1,
            23,
            70000,
            1.5,
            "",
            "x",
            "22",
            "30s",
            "30s\n",
            "root",
            "a\nb",
            "../x",
            "~/x",
            "/etc",
            "local",
        ),
        *("ssh", "http://u:p@h/", "https://h", "2027-01-31", [], [1], ["a", "a"], [[]], {}, {"x-a": 1}, {"id": "a"}),
        *("٣s", "é", "\u202e", KEY, PIN, "modules/a", "a/", "a//b", "A", "-a", "a" * 64, "docker-compose", "verify"),
    ]
).map(copy.deepcopy)
KEYS = st.sampled_from(
    ["x-own", "x", "host", "set", "transport", "port", "user", "address", "A B", "required", "1", ""]
)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*above, key)
        yield from places(child, (*above, key))


@st.composite
def spoiled(draw: Callable[[Any], Any], valid: Any) -> Any:
    """`valid` with up to four values replaced, removed or added."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(list(places(value)) or [()]))
        if not path:
            return draw(JUNK)
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                parent[path[-1]] = draw(JUNK)
            case "remove":
                del parent[path[-1]]
            case _ if isinstance(parent, dict):
                parent[draw(KEYS)] = draw(JUNK)
            case _:
                parent.append(draw(JUNK))
    return value


@pytest.mark.parametrize("file", EXAMPLES)
def test_shape_and_schema_accept_the_same_documents(file: str) -> None:
    shape, valid = EXAMPLES[file]
    validator = Draft202012Validator(json.loads(generate()[file]))
    verdicts = set()

    @settings(max_examples=400)
    @given(spoiled(valid))
    def compare(document: Any) -> None:
        fits = not list(shape.problems(document, ""))
        assert fits == validator.is_valid(document)
        verdicts.add(fits)

    compare()
    assert verdicts == {True, False}


READERS: Mapping[str, Callable[[bytes], object]] = {
    "module.v1.schema.json": lambda text: read_module(text, RepoPath("modules/honcho-redis/module.yaml")),
    "hosts.v1.schema.json": lambda text: read_hosts(text, "hosts.yaml"),
    "policy.v1.schema.json": lambda text: read_policy(text, "policy.yaml"),
}
BEYOND_SCHEMAS = {"module-id", "depends-on", "env-required", "env-file"}


@pytest.mark.parametrize("file", EXAMPLES)
def test_a_reader_accepts_what_its_schema_accepts_but_for_rules_of_its_own(file: str) -> None:
    shape, valid = EXAMPLES[file]
    verdicts = set()

    def verdict(document: Any) -> str:
        try:
            READERS[file](json.dumps(document).encode())
        except InvalidManifest as error:
            return "beyond" if {finding.rule for finding in error.findings} <= BEYOND_SCHEMAS else "unfit"
        return "fits"

    @given(spoiled(valid))
    def compare(document: Any) -> None:
        seen = verdict(document)
        assert (seen == "unfit") == bool(list(shape.problems(document, "")))
        verdicts.add(seen)

    compare()
    assert verdicts >= {"fits", "unfit"}


@pytest.mark.parametrize("file", EXAMPLES)
def test_a_schema_is_a_schema(file: str) -> None:
    Draft202012Validator.check_schema(json.loads(generate()[file]))


@pytest.mark.parametrize("file", EXAMPLES)
def test_the_published_schema_is_current(file: str) -> None:
    assert (DOCS / "schemas" / file).read_text() == generate()[file], "write it again: platformctl schema NAME"


def test_nothing_else_is_published() -> None:
    assert {path.name for path in (DOCS / "schemas").iterdir()} == set(generate())


def keys_of(shape: Shape, above: str = "") -> Iterator[str]:
    """The dotted path of every key a shape knows."""
    if isinstance(shape, Fields):
        for key, inner in {**shape.required, **shape.optional}.items():
            yield above + key
            yield from keys_of(inner, f"{above}{key}.")


def test_the_annotated_example_shows_every_field_and_no_other() -> None:
    document = parse((DOCS / "module.example.yaml").read_bytes(), "example")
    shown = {path for path in document.lines if path and "x-notes" not in path}
    known = set(keys_of(MODULE))
    assert known <= shown
    assert {path for path in shown - known if path.split(".")[-1] not in ("0", "DATA_DIR")} == set()


def test_the_annotated_hosts_show_every_field_of_each_transport() -> None:
    hosts = EXAMPLES["hosts.v1.schema.json"][1]["hosts"].values()
    shown = {entry["transport"]: set(entry) for entry in hosts}
    cases = HOSTS.required["hosts"].value.cases  # type: ignore[attr-defined]
    assert shown.keys() == cases.keys()
    for name, case in cases.items():
        assert set(case.required) <= shown[name] <= {*case.required, *case.optional}
        assert set(case.optional) <= shown[name] | shown["ssh"]


def texts_of(shape: Shape) -> Iterator[Text]:
    match shape:
        case Text():
            yield shape
        case Fields():
            for inner in (*shape.required.values(), *shape.optional.values()):
                yield from texts_of(inner)
        case Named():
            yield from (shape.key, *texts_of(shape.value))
        case Items():
            yield from texts_of(shape.item)
        case Variants():
            for case in shape.cases.values():
                yield from texts_of(case)


SHAPES: tuple[Shape, ...] = (MODULE, HOSTS, POLICY)
TEXTS = sorted({text for shape in SHAPES for text in texts_of(shape)}, key=lambda text: text.meaning)


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_accepts_its_own_example_and_no_newline_at_the_end(text: Text) -> None:
    assert not list(text.problems(text.example, ""))
    if text is not schemas._VALUE:
        assert list(text.problems(text.example + "\n", ""))
        assert not Draft202012Validator(text.schema()).is_valid(text.example + "\n")
