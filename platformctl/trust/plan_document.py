"""How a plan is spelt in JSON, where that is not how `model.plan` holds it.

Digests of files stand as 64 hexadecimal digits under `sha256`, permission bits as in `chmod`. `resource_changes`
follows `terraform show -json`, so that policies and tools made for that read our plans; it, `summary` and `exitCode`
repeat what `changes` says. A document in which they say anything else is refused: people read one, apply runs the
other.
"""

import re
from collections.abc import Mapping
from typing import Any

from platformctl.errors import InvalidInput, PolicyViolation
from platformctl.model import plan as model
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import Checked, Digest, GitSha, ModuleId, RepoPath, ServiceName
from platformctl.model.plan import Action, Cause, Run

TOOL_NAME = "platformctl"


class Sha256(Checked):
    """A digest without its algorithm, for a field whose name is the algorithm."""

    __slots__ = ()
    pattern = re.compile(r"[0-9a-f]{64}\Z")
    meaning = "64 hexadecimal digits"

    @property
    def digest(self) -> Digest:
        """The digest with its algorithm."""
        return Digest(f"sha256:{self}")


class Mode(Checked):
    """Permission bits in octal, three digits after a 0, so that there is no set-user-id."""

    __slots__ = ()
    pattern = re.compile(r"0[0-7]{3}\Z")
    meaning = "permission bits (0644)"


@dataclass(frozen=True)
class Tool:
    """The program that made the plan."""

    name: str
    version: str


@dataclass(frozen=True)
class File:
    """A `PlannedFile` in JSON."""

    path: RepoPath
    sha256: Sha256
    mode: Mode

    @classmethod
    def of(cls, file: model.PlannedFile) -> "File":
        """Return the JSON form of `file`."""
        return cls(file.path, Sha256(file.digest.hexadecimal), _mode(file.mode))

    @property
    def planned(self) -> model.PlannedFile:
        """The `PlannedFile` that this stands for."""
        return model.PlannedFile(self.path, self.sha256.digest, int(self.mode, 8))


@dataclass(frozen=True)
class Place:
    """A `model.Place` in JSON; the class's name is the operation's tag there."""

    path: RepoPath
    sha256: Sha256
    mode: Mode


@dataclass(frozen=True)
class Remove:
    """A `model.Remove` in JSON."""

    path: RepoPath


Operation = Run | Place | Remove


@dataclass(frozen=True)
class Step:
    """A `model.Step` in JSON."""

    id: str
    do: tuple[Operation, ...]
    undo: tuple[Operation, ...]

    @classmethod
    def of(cls, step: model.Step) -> "Step":
        """Return the JSON form of `step`."""
        return cls(step.id, tuple(map(_spelt, step.do)), tuple(map(_spelt, step.undo)))

    @property
    def planned(self) -> model.Step:
        """The `model.Step` that this stands for."""
        return model.Step(self.id, tuple(map(_planned, self.do)), tuple(map(_planned, self.undo)))


@dataclass(frozen=True)
class Change:
    """A `model.Change` in JSON."""

    address: str
    target: str
    action: Action
    causes: tuple[Cause, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    destructive: bool
    reason: str

    @classmethod
    def of(cls, change: model.Change) -> "Change":
        """Return the JSON form of `change`."""
        names = ("address", "target", "action", "causes", "before", "after", "destructive", "reason")
        return cls(**{name: getattr(change, name) for name in names})

    @property
    def planned(self) -> model.Change:
        """The `model.Change` that this stands for; raises `PolicyViolation` for an unknown form of target."""
        return model.Change(
            self.address,
            _service(self.target),
            self.action,
            self.causes,
            self.before,
            self.after,
            self.destructive,
            self.reason,
        )


@dataclass(frozen=True)
class Document:
    """A plan's payload, field by field."""

    format: str
    format_version: str
    module: ModuleId
    host: model.PlannedHost
    source_sha: GitSha
    source_dirty: bool
    source_repo: str
    source_ref: str
    created_at: Moment
    expires_at: Moment
    tool: Tool
    drivers: Mapping[str, str]
    observed: model.PlannedObservation
    speculative: bool
    trust: model.PlannedTrust
    desired: Digest
    kind: str
    files: tuple[File, ...]
    images: tuple[model.PlannedImage, ...]
    closure: tuple[ServiceName, ...]
    changes: tuple[Change, ...]
    resource_changes: Any
    steps: tuple[Step, ...]
    rollback: model.Rollback
    policy: tuple[model.PolicyNote, ...]
    untouched: tuple[model.Bystander, ...]
    summary: str
    exitCode: int  # noqa: N815 - beside resource_changes it is what readers of Terraform's plans look for


SAME = (
    *("module", "host", "source_sha", "source_dirty", "source_repo", "source_ref", "created_at", "expires_at"),
    *("drivers", "observed", "speculative", "trust", "desired", "kind", "images", "closure", "rollback", "policy"),
    "untouched",
)
"""The fields that a plan and its document have in the same form."""


def derived(plan: model.Plan) -> Mapping[str, Any]:
    """Return the fields that repeat what `changes` says, for people and for other programs."""
    return {
        "resource_changes": [_resource_change(change, plan.drivers) for change in plan.changes],
        "summary": _summary(plan),
        "exitCode": int(plan.has_changes),
    }


_TERRAFORM_ACTIONS: Mapping[Action, list[str]] = {
    Action.CREATE: ["create"],
    Action.RECREATE: ["delete", "create"],
    Action.START: ["update"],
    Action.UPDATE: ["update"],
    Action.DELETE: ["delete"],
    Action.KEEP: ["no-op"],
}


def _resource_change(change: model.Change, drivers: Mapping[str, str]) -> dict[str, Any]:
    """Return one element of Terraform's `resource_changes` (1.2); nothing in ours is secret, or unknown."""
    return {
        "address": change.address,
        "mode": "managed",
        "type": "compose_service",
        "name": str(change.service),
        "provider_name": "/".join([TOOL_NAME, *sorted(drivers)]),
        "change": {
            "actions": _TERRAFORM_ACTIONS[change.action],
            "before": change.before,
            "after": change.after,
            "after_unknown": {},
            "before_sensitive": {},
            "after_sensitive": {},
        },
    }


def _summary(plan: model.Plan) -> str:
    counts = plan.changes_by_action
    parts = [f"{counts[action]} to {action.value}" for action in Action if action in counts]
    return f"{', '.join(parts) or 'no changes'} on {plan.host.name}"


def _service(target: str) -> ServiceName:
    if not target.startswith(model.TARGET_PREFIX):
        raise _unknown_form()
    try:
        return ServiceName.parse(target.removeprefix(model.TARGET_PREFIX))
    except InvalidInput as error:
        raise _unknown_form() from error


def _unknown_form() -> PolicyViolation:
    return PolicyViolation(
        "a plan has a target of an unknown form",
        detail=f"this version knows {model.TARGET_PREFIX}<name> alone",
        hint="platformctl plan, with this version",
        reason="target",
    )


def _mode(bits: int) -> Mode:
    return Mode(f"{bits:04o}")


def _spelt(operation: model.Operation) -> Operation:
    match operation:
        case Run():
            return operation
        case model.Place(path, digest, mode):
            return Place(path, Sha256(digest.hexadecimal), _mode(mode))
        case model.Remove(path):
            return Remove(path)


def _planned(operation: Operation) -> model.Operation:
    match operation:
        case Run():
            return operation
        case Place(path, sha256, mode):
            return model.Place(path, sha256.digest, int(mode, 8))
        case Remove(path):
            return model.Remove(path)
