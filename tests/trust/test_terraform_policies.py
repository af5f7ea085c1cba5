"""A policy written for Terraform's plans reads ours: `show PLAN --payload | conftest test -`.

The policies below are of the kind that people keep for `terraform show -json`, in Rego. They are run by as much of Rego
as they need: rules are alternatives, the lines of a rule hold together, `[_]` stands for any element.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from platformctl.model.plan import Action, Plan
from platformctl.trust.plan_codec import encode_plan
from tests.trust.workshop import a_change, a_plan

NO_DELETES = """
package main

deny[msg] {
  rc := input.resource_changes[_]
  rc.mode == "managed"
  rc.change.actions[_] == "delete"
  not rc.change.actions[_] == "create"
  msg := sprintf("%s would be deleted", [rc.address])
}
"""
WATCH_REPLACEMENTS = """
package main

deny[msg] {
  rc := input.resource_changes[_]
  rc.change.actions[0] == "delete"
  rc.change.actions[1] == "create"
  msg := sprintf("%s %s would be replaced", [rc.type, rc.name])
}
"""
KNOWN_IMAGES = """
package main

deny[msg] {
  rc := input.resource_changes[_]
  rc.type == "compose_service"
  not rc.change.actions[_] == "no-op"
  not startswith(rc.change.after.image, "registry.example/")
  msg := sprintf("%s: image %s", [rc.address, rc.change.after.image])
}
"""
NOTHING_UNKNOWN = """
package main

deny[msg] {
  rc := input.resource_changes[_]
  rc.change.after_unknown[_] == true
  msg := sprintf("%s is not known before apply", [rc.address])
}

deny[msg] {
  rc := input.resource_changes[_]
  not startswith(rc.provider_name, "platformctl/")
  msg := sprintf("%s is of another provider", [rc.address])
}
"""

RULE = re.compile(r"deny\[msg\] \{\n(.*?)\n\}", re.DOTALL)
BINDING = re.compile(r"(\w+) := ([\w.\[\]]+)\Z")
MESSAGE = re.compile(r'msg := sprintf\("([^"]*)", \[([^\]]*)\]\)\Z')
EQUALITY = re.compile(r"([\w.\[\]]+) == (\S+)\Z")
PREFIX = re.compile(r'startswith\(([\w.\[\]]+), "([^"]*)"\)\Z')
Names = Mapping[str, Any]


def denials(policy: str, document: Any) -> list[str]:
    """Every message that the policy denies the document with."""
    rules = [[line.strip() for line in body.splitlines()] for body in RULE.findall(policy)]
    return sorted({message for rule in rules for message in held(rule, {"input": document})})


def held(lines: list[str], names: Names) -> Iterator[str]:
    """The messages of a rule, one for each way in which its lines hold together."""
    line, rest = lines[0], lines[1:]
    if message := MESSAGE.match(line):
        paths = [path.strip() for path in message[2].split(",")]
        yield message[1].replace("%s", "{}").format(*(next(values(path, names)) for path in paths))
    elif binding := BINDING.match(line):
        for value in values(binding[2], names):
            yield from held(rest, {**names, binding[1]: value})
    elif line.startswith("not "):
        if not holds(line.removeprefix("not "), names):
            yield from held(rest, names)
    elif holds(line, names):
        yield from held(rest, names)


def holds(line: str, names: Names) -> bool:
    if prefix := PREFIX.match(line):
        return any(str(value).startswith(prefix[2]) for value in values(prefix[1], names))
    equality = EQUALITY.match(line)
    assert equality, f"more of Rego than is known here: {line}"
    return any(value == json.loads(equality[2]) for value in values(equality[1], names))


def values(path: str, names: Names) -> Iterator[Any]:
    """What a path stands for; nothing where a part of it is not there."""
    first, *parts = re.findall(r"\w+", path)
    found = [names[first]]
    for part in parts:
        if part == "_":
            found = [each for value in found for each in (value.values() if isinstance(value, dict) else value or ())]
        elif part.isdecimal():
            found = [value[int(part)] for value in found if isinstance(value, list) and len(value) > int(part)]
        else:
            found = [value[part] for value in found if isinstance(value, dict) and part in value]
    return iter(found)


def payload(*actions: Action) -> Any:
    changes = tuple(a_change(f"s{number}", action) for number, action in enumerate(actions))
    plan: Plan = a_plan(changes=changes)
    return json.loads(encode_plan(plan))


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (NO_DELETES, ["rs2000/shop/s3 would be deleted"]),
        (WATCH_REPLACEMENTS, ["compose_service s1 would be replaced"]),
        (KNOWN_IMAGES, [f"rs2000/shop/s{number}: image web:1" for number in range(4)]),
        (NOTHING_UNKNOWN, []),
    ],
)
def test_a_policy_for_terraforms_plans_judges_ours(policy: str, told: list[str]) -> None:
    document = payload(Action.CREATE, Action.RECREATE, Action.UPDATE, Action.DELETE, Action.KEEP)

    assert denials(policy, document) == told


def test_a_plan_that_changes_nothing_is_denied_by_none_of_them() -> None:
    document = payload(Action.KEEP, Action.KEEP)

    assert [denials(policy, document) for policy in (NO_DELETES, WATCH_REPLACEMENTS, KNOWN_IMAGES)] == [[], [], []]


def test_every_element_has_the_fields_of_terraforms() -> None:
    """Of format 1.2, as `terraform show -json` writes them for a managed resource."""
    (told,) = payload(Action.RECREATE)["resource_changes"]

    assert told.keys() == {"address", "mode", "type", "name", "provider_name", "change"}
    assert told["change"].keys() == {
        *("actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive"),
    }


def test_the_evaluator_denies_what_terraform_itself_says() -> None:
    """A change as terraform 1.11 prints it."""
    change = {"actions": ["delete"], "before": {"id": "1"}, "after": None, "after_unknown": {}, "before_sensitive": {},
              "after_sensitive": False}  # fmt: skip
    resource = {"address": "terraform_data.a", "mode": "managed", "type": "terraform_data", "name": "a",
                "provider_name": "terraform.io/builtin/terraform", "change": change}  # fmt: skip

    assert denials(NO_DELETES, {"resource_changes": [resource]}) == ["terraform_data.a would be deleted"]
