"""What Forgejo publishes of its interface: whether a question fits it, and an answer too.

Where FORGEJO_OPENAPI names the published document it is the judge of names and values, and of the fake's answers; else
the operations that are used, written down here from it, are the judge of names.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema

PREFIX = "/api/v1"
_USED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("get", "/user"): (),
    ("get", "/repos/{owner}/{repo}/pulls/{index}"): (),
    ("get", "/repos/{owner}/{repo}/pulls/{index}/reviews"): ("page", "limit"),
    ("get", "/repos/{owner}/{repo}/commits/{ref}/status"): ("page", "limit"),
    ("post", "/repos/{owner}/{repo}/statuses/{sha}"): ("context", "description", "state", "target_url"),
    ("get", "/repos/{owner}/{repo}/issues"): ("page", "limit", "state", "type", "created_by"),
    ("post", "/repos/{owner}/{repo}/issues"): ("title", "body"),
    ("get", "/repos/{owner}/{repo}/issues/{index}/comments"): ("since", "before"),
    ("post", "/repos/{owner}/{repo}/issues/{index}/comments"): ("body",),
    ("patch", "/repos/{owner}/{repo}/issues/comments/{id}"): ("body",),
}


def complaints(method: str, target: str, body: Any) -> Iterator[str]:
    """What is wrong with a question by the published interface; nothing when it fits."""
    parts = urlsplit(target)
    found = _operation(method, parts.path)
    if found is None:
        yield f"there is no {method} {parts.path}"
        return
    template, operation = found
    query = set(parse_qs(parts.query, keep_blank_values=True))
    if unknown := query - _names(template, method, operation, "query"):
        yield f"{method} {template} has no parameters {sorted(unknown)}"
    if body is not None:
        yield from _body_complaints(method, template, operation, body)


def _body_complaints(method: str, template: str, operation: Any, body: Any) -> Iterator[str]:
    if unknown := set(body) - _names(template, method, operation, "body"):
        yield f"{method} {template} knows no {sorted(unknown)}"
    schema = next((each["schema"] for each in (operation or {}).get("parameters", ()) if each["in"] == "body"), None)
    if schema is not None:
        yield from (problem.message for problem in _validator(json.dumps(schema)).iter_errors(body))


def answer_complaints(method: str, target: str, status: int, answer: Any) -> Iterator[str]:
    """What is wrong with an answer; nothing where the document is not at hand."""
    found = _operation(method, urlsplit(target).path)
    if found is None or found[1] is None:
        return
    told = found[1]["responses"].get(str(status))
    if told is None and status in (401, 403):
        return  # every operation may, and the document has it at none
    if told is None:
        yield f"{method} {found[0]} never answers {status}"
        return
    told = _document()["responses"][told["$ref"].rpartition("/")[2]] if "$ref" in told else told
    if "schema" in told:
        yield from (
            problem.message for problem in _validator(json.dumps(told["schema"])).iter_errors(_without_null(answer))
        )


def _without_null(value: Any) -> Any:
    """Forgejo answers null for what is not there, which its document does not say."""
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def _names(template: str, method: str, operation: Any, place: str) -> set[str]:
    if operation is None:
        return set(_USED[(method.lower(), template)])
    named = [each for each in operation.get("parameters", ()) if each["in"] == place]
    if place == "query":
        return {each["name"] for each in named}
    return {key for each in named for key in _resolved(each["schema"]).get("properties", {})}


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return _document()["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _operation(method: str, path: str) -> tuple[str, Any] | None:
    bare = path.removeprefix(PREFIX)
    document = _document()
    paths = document["paths"] if document else {template: {} for _, template in _USED}
    for template in sorted(paths, key=lambda each: each.count("{")):
        known = method.lower() in paths[template] if document else (method.lower(), template) in _USED
        if known and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), bare) and path.startswith(PREFIX):
            return template, paths[template].get(method.lower()) if document else None
    return None


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "definitions": (_document() or {}).get("definitions", {})}
    return jsonschema.Draft4Validator(whole)


@cache
def _document() -> Any:
    place = os.environ.get("FORGEJO_OPENAPI")
    return json.loads(Path(place).read_text()) if place else None
