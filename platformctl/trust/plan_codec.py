"""A plan to the bytes that are signed, and back.

Decoding trusts nothing but the form: `verify` has decided before whether the bytes may be believed.
"""

from typing import Any

from platformctl.errors import InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.plan import FORMAT, FORMAT_VERSION, Plan
from platformctl.trust.plan_document import SAME, TOOL_NAME, Change, Document, File, Step, Tool, derived

_MAJOR = FORMAT_VERSION.partition(".")[0]


def encode_plan(plan: Plan) -> bytes:
    """Return the payload for `plan`; the same plan gives the same bytes."""
    return strict_json.dump({**codec.encode(_document(plan)), **derived(plan)})


def decode_plan(payload: bytes) -> Plan:
    """Return the plan in `payload`.

    Raises `InvalidInput` for another format or major version, for a field that does not fit (by name, never by value),
    and if the fields made for readers say something else than `changes`; `PolicyViolation` for a target of a form that
    this tool does not know. Fields of a newer minor version are ignored.
    """
    data = strict_json.load(payload, "plan")
    _require_known_format(data)
    plan = _plan(_fitting(data))
    for name, value in derived(plan).items():
        if strict_json.dump(data[name]) != strict_json.dump(value):
            raise InvalidInput("a plan contradicts itself", detail=f"plan: {name} does not say what changes says")
    return plan


def _fitting(data: Any) -> Document:
    try:
        return codec.decode(Document, data, "plan", ignore_unknown=True)
    except InvalidInput as error:
        raise InvalidInput(error.summary, detail=error.detail, hint="platformctl plan makes a new one") from error


def _require_known_format(data: Any) -> None:
    found = (data.get("format"), data.get("format_version")) if isinstance(data, dict) else (None, None)
    if found[0] != FORMAT or not isinstance(found[1], str):
        raise InvalidInput(
            "a document is not a plan", detail=f"plan: format: expected {FORMAT}", hint="name a plan's file"
        )
    if found[1].partition(".")[0] != _MAJOR:
        raise InvalidInput(
            "a plan is of a version this tool does not read",
            detail=f"plan: format_version: expected {_MAJOR}.x",
            hint="plan again with this version of platformctl",
        )


def _document(plan: Plan) -> Document:
    return Document(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        tool=Tool(TOOL_NAME, plan.tool_version),
        files=tuple(map(File.of, plan.files)),
        changes=tuple(map(Change.of, plan.changes)),
        steps=tuple(map(Step.of, plan.steps)),
        **{name: getattr(plan, name) for name in SAME},
        **derived(plan),
    )


def _plan(document: Document) -> Plan:
    return Plan(
        tool_version=document.tool.version,
        files=tuple(each.planned for each in document.files),
        changes=tuple(each.planned for each in document.changes),
        steps=tuple(each.planned for each in document.steps),
        **{name: getattr(document, name) for name in SAME},
    )
