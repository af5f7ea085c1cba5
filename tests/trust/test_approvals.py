"""Approvals and indexes as documents."""

import json
from typing import Any

import pytest

from platformctl.errors import InvalidInput
from platformctl.model.approval import Approval
from platformctl.model.names import HostName, ModuleId
from platformctl.trust.approvals import decode_approval, encode_approval
from platformctl.trust.index import Index, IndexEntry, decode_index, encode_index
from tests.trust.workshop import HOST, SHA, some_digest

APPROVAL = Approval(
    some_digest("plan"), "ann", (HOST,), SHA, True, "looks right", "2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z"
)
ENTRY = IndexEntry(ModuleId("shop"), HOST, False, some_digest("plan"), "shop.json")
INDEX = Index(SHA, "2026-06-01T12:00:00Z", (ENTRY,))


def statement(**changes: Any) -> bytes:
    return json.dumps({**json.loads(encode_approval(APPROVAL)), **changes}).encode()


def test_an_approval_comes_back_as_it_went() -> None:
    assert decode_approval(encode_approval(APPROVAL)) == APPROVAL


def test_an_approval_is_an_in_toto_statement() -> None:
    told = json.loads(encode_approval(APPROVAL))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["subject"] == [{"name": "_", "digest": {"sha256": some_digest("plan").hexadecimal}}]
    assert set(told) == {"_type", "subject", "predicateType", "predicate"}


PREDICATE = json.loads(encode_approval(APPROVAL))["predicate"]
SUBJECT = json.loads(encode_approval(APPROVAL))["subject"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://slsa.dev/provenance/v1"},
        {"subject": []},
        {"subject": [SUBJECT, SUBJECT]},
        {"subject": [{"name": "_", "digest": {"sha1": "0" * 40}}]},
        {"subject": [{"name": "_", "digest": {"sha256": "A" * 64}}]},
        {"predicate": {**PREDICATE, "hosts": ["*"]}},
        {"predicate": {**PREDICATE, "hosts": "rs2000"}},
        {"predicate": {**PREDICATE, "allows_destructive": "true"}},
        {"predicate": {**PREDICATE, "allows_destructive": 1}},
        {"predicate": {**PREDICATE, "source_sha": "aaaaaaa"}},
        {"predicate": {**PREDICATE, "expires_at": "never"}},
        {"predicate": {**PREDICATE, "later": 1}},
        {"later": 1},
    ],
)
def test_what_is_not_exactly_an_approval_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        decode_approval(statement(**changes))


def test_an_index_comes_back_as_it_went() -> None:
    assert decode_index(encode_index(INDEX)) == INDEX


def test_an_index_tells_the_entry_of_a_plan_or_that_it_has_none() -> None:
    assert INDEX.entry(some_digest("plan")) == ENTRY
    assert INDEX.entry(some_digest("other")) is None


@pytest.mark.parametrize(
    "entries",
    [
        (ENTRY, ENTRY),
        (ENTRY, IndexEntry(ModuleId("shop"), HostName("local"), False, some_digest("other"), "b.json")),
        (ENTRY, IndexEntry(ModuleId("mail"), HOST, False, some_digest("plan"), "b.json")),
    ],
)
def test_an_index_that_names_something_twice_is_refused(entries: tuple[IndexEntry, ...]) -> None:
    with pytest.raises(InvalidInput):
        decode_index(encode_index(Index(SHA, INDEX.created_at, entries)))


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{}", b'{"format":"platformctl/plan","format_version":"1.0"}', b'{"format":"platformctl/index"}'],
)
def test_what_is_no_index_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_index(payload)


def test_an_index_of_a_newer_major_version_is_refused() -> None:
    with pytest.raises(InvalidInput):
        decode_index(encode_index(INDEX).replace(b'"1.0"', b'"2.0"'))
