"""Read module.yaml, hosts.yaml and policy.yaml into the types of `platformctl.model.desired`.

All errors of a file are told at once, each with its line. Values are built only from a document that fits its shape, so
the builders below convert and do not check. Whether a path is sacred or a module may use a host is judged by
`platformctl.policy`; whether files exist, by the code that opens them.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache, partial
from itertools import islice
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.manifests.references import check_reached, check_references
from platformctl.manifests.schemas import HOSTS, MODULE, POLICY
from platformctl.manifests.shapes import Problem, Shape
from platformctl.manifests.yaml_text import Document, parse
from platformctl.model.desired import (
    Canary,
    Delivery,
    Environment,
    FileChange,
    Health,
    HostEntry,
    Module,
    ModuleKind,
    Runtime,
    ServedVersion,
    Strategy,
    Timeouts,
)
from platformctl.model.duration import seconds
from platformctl.model.finding import Finding
from platformctl.model.forge import ForgeAddress, ForgeKind, ForgeRepository, ForgeUrl
from platformctl.model.names import HostName, ModuleId, ProjectName, RepoPath, ServiceName, VariableName
from platformctl.model.policy import ApprovalRule, ForgeRule, Policy, RollbackRule, Waiver

__all__ = ["InvalidManifest", "check_reached", "check_references", "read_hosts", "read_module", "read_policy"]

MOST_FINDINGS = 100
"""Errors of one file that are told; more help nobody, and a suggestion for each of thousands takes its time."""


class InvalidManifest(InvalidInput):
    """A file does not fit its schema; `findings` are its errors, in the order of their lines."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first, others = findings[0], len(findings) - 1
        more = f" (and {others} more: platformctl validate)" if others else ""
        super().__init__(
            "a file does not fit its schema",
            detail=f"{first.field or 'the document'}: {first.message}{more}",
            hint=first.hint,
            reason=first.rule,
            file=first.file,
            line=first.line,
        )
        self.findings = findings


@cache
def read_module(text: bytes, path: RepoPath) -> Module:
    """Return the module that `path` (`modules/<id>/module.yaml`) describes; raises `InvalidManifest`.

    A module is read for its own sake and as a neighbour of others; the same bytes are read once.
    """
    folder = path.parent.rpartition("/")[2]
    document = _checked(text, path, MODULE, partial(_module_problems, folder), module=folder)
    return _module(document.value, path)


def read_hosts(text: bytes, file: str) -> Mapping[HostName, HostEntry]:
    """Return the allow-list by name, empty when it lists nothing; raises `InvalidManifest`."""
    document = _checked(text, file, HOSTS, _no_problems)
    return {HostName(name): _host(HostName(name), entry) for name, entry in document.value["hosts"].items()}


def read_policy(text: bytes, file: str) -> Policy:
    """Return the policy; raises `InvalidManifest`, also for an empty file, because no rule means no permission."""
    return _policy(_checked(text, file, POLICY, _policy_problems).value)


def _checked(text: bytes, file: str, shape: Shape, further: Any, *, module: str = "") -> Document:
    """Return the parsed document; raises `InvalidManifest` unless it fits `shape` and `further` finds no problem.

    `further` is called only when the shape fits.
    """
    try:
        document = parse(text, file)
    except InvalidInput as error:
        raise InvalidManifest((_unreadable(error, module, file),)) from error
    problems = tuple(islice(shape.problems(document.value, ""), MOST_FINDINGS)) or tuple(further(document.value))
    if problems:
        found = (_finding(problem, document, module, file) for problem in problems)
        raise InvalidManifest(tuple(sorted(found, key=lambda finding: finding.line or 0)))
    return document


def _unreadable(error: InvalidInput, module: str, file: str) -> Finding:
    message = f"{error.summary}: {error.detail}"
    return Finding(module, "yaml", "error", file, error.line, "", message, error.hint)


def _finding(problem: Problem, document: Document, module: str, file: str) -> Finding:
    line = document.line_of(problem.path)
    return Finding(module, problem.rule, "error", file, line, problem.path, problem.message, problem.hint)


def _no_problems(_document: Any) -> Iterator[Problem]:
    yield from ()


def _module_problems(folder: str, value: Any) -> Iterator[Problem]:
    """Yield problems that a schema can not express, of a module that fits the schema."""
    identifier, spec = value["metadata"]["id"], value["spec"]
    if identifier != folder:
        message = f"the id is {identifier}, the folder is not"
        yield Problem("metadata.id", "module-id", message, f"rename the folder to modules/{identifier}")
    if identifier in spec.get("depends_on", ()):
        yield Problem("spec.depends_on", "depends-on", "a module can not depend on itself", f"remove {identifier}")
    environment = spec.get("env", {})
    if environment.get("file") == spec["runtime"]["compose_file"]:
        message = "the host's own values can not lie in the compose file, which travels"
        yield Problem("spec.env.file", "env-file", message, "name a file that only the host has")
    if "file" not in environment:
        for index, name in enumerate(environment.get("required", ())):
            if name not in environment.get("set", {}):
                hint = "add it to spec.env.set, or name the host's file in spec.env.file"
                yield Problem(f"spec.env.required.{index}", "env-required", f"nothing sets {name}", hint)


def _policy_problems(value: Any) -> Iterator[Problem]:
    for index, waiver in enumerate(value.get("waivers", ())):
        try:
            date.fromisoformat(waiver["expires"])
        except ValueError:
            path = f"waivers.{index}.expires"
            yield Problem(path, "wrong-value", "the calendar has no such day", "write a date such as 2027-01-31")
    forge = value.get("forge", {})
    if forge.get("reviews", 1) > len(forge.get("reviewers", ())) > 0:
        yield Problem("forge.reviews", "wrong-value", "more reviews than reviewers", "name more people, or ask fewer")


def _module(value: Any, path: RepoPath) -> Module:
    metadata, spec = value["metadata"], value["spec"]
    return Module(
        id=ModuleId(metadata["id"]),
        path=path,
        description=metadata.get("description", ""),
        owner=metadata.get("owner", ""),
        host=HostName(spec["host"]),
        kind=ModuleKind(spec.get("kind", ModuleKind.SERVICE.value)),
        runtime=_runtime(spec["runtime"], metadata["id"]),
        depends_on=tuple(map(ModuleId, spec.get("depends_on", ()))),
        delivery=Delivery(spec.get("delivery", Delivery.PUSH.value)),
        on_file_change=FileChange(spec.get("on_file_change", FileChange.RECREATE.value)),
        env=_environment(spec.get("env", {})),
        health=_health(spec.get("health", {})),
        canary=_canary(spec["canary"]) if "canary" in spec else None,
        rollback=Strategy(spec.get("rollback", {}).get("strategy", Strategy.PREVIOUS.value)),
    )


def _runtime(value: Any, identifier: str) -> Runtime:
    return Runtime(
        orchestrator=value["orchestrator"],
        compose_file=RepoPath(value["compose_file"]),
        compose_service=ServiceName(value.get("compose_service", identifier)),
        project=ProjectName(value.get("project", identifier)),
    )


def _environment(value: Any) -> Environment:
    return Environment(
        set={VariableName(name): text for name, text in value.get("set", {}).items()},
        file=RepoPath(value["file"]) if "file" in value else None,
        required=tuple(map(VariableName, value.get("required", ()))),
    )


def _health(value: Any) -> Health:
    return Health(
        timeout=_seconds_of(value, "timeout", Health.timeout),
        stable_for=_seconds_of(value, "stable_for", Health.stable_for),
    )


def _canary(value: Any) -> Canary:
    return Canary(
        url=value["url"],
        expect_status=value.get("expect_status", Canary.expect_status),
        expect_body=value.get("expect_body"),
        version=_version(value["version"]) if "version" in value else None,
        attempts=value.get("attempts", Canary.attempts),
        timeout=_seconds_of(value, "timeout", Canary.timeout),
    )


def _version(value: Any) -> ServedVersion:
    return ServedVersion(value["expect"], value.get("header"))


def _host(name: HostName, value: Any) -> HostEntry:
    """Return an entry of the allow-list. That of a tailscale peer needs no address: tailscale gives it."""
    return HostEntry(
        name=name,
        transport=value["transport"],
        root=value["root"],
        address=value.get("address"),
        port=value.get("port", HostEntry.port),
        user=value.get("user"),
        host_key=tuple(value.get("host_key", ())),
        machine_id=value.get("machine_id"),
        engine_id=value.get("engine_id"),
        node_id=value.get("node_id"),
        dns_name=value.get("dns_name"),
        allow_root=value.get("allow_root", False),
        timeouts=_timeouts(value.get("timeouts", {})),
        provider=value.get("provider"),
        size=value.get("size"),
        labels=dict(value.get("labels", {})),
    )


def _timeouts(value: Any) -> Timeouts:
    return Timeouts(
        connect=seconds(value["connect"]) if "connect" in value else None,
        step=_seconds_of(value, "step", Timeouts.step),
        pull=_seconds_of(value, "pull", Timeouts.pull),
        run=seconds(value["run"]) if "run" in value else None,
    )


def _policy(value: Any) -> Policy:
    plan, images, services = (value.get(key, {}) for key in ("plan", "images", "services"))
    return Policy(
        approvals=_approvals(value["approvals"]),
        expires_in=_seconds_of(plan, "expires_in", Policy.expires_in),
        require_merged=plan.get("require_merged", Policy.require_merged),
        rollback=_rollback(value.get("rollback", {})),
        first_host=_host_name(value.get("fleet", {}).get("first_host")),
        phase=value.get("phase", Policy.phase),
        images_allow=tuple(images.get("allow", Policy.images_allow)),
        require_digest=images.get("require_digest", Policy.require_digest),
        sacred_paths=tuple(map(RepoPath, value.get("sacred_paths", ()))),
        waivers=tuple(map(_waiver, value.get("waivers", ()))),
        required_labels=tuple(services.get("required_labels", ())),
        forbidden_ports=tuple(map(_ports, services.get("forbidden_ports", ()))),
        forge=_forge(value["forge"]) if "forge" in value else None,
    )


def _approvals(value: Any) -> ApprovalRule:
    return ApprovalRule(
        required=value["required"],
        destructive=value.get("destructive", ApprovalRule.destructive),
        per_host={HostName(name): people for name, people in value.get("per_host", {}).items()},
        hardware_only=value.get("hardware_only", ApprovalRule.hardware_only),
        per_label=dict(value.get("per_label", {})),
    )


def _host_name(value: str | None) -> HostName | None:
    return None if value is None else HostName(value)


def _forge(value: Any) -> ForgeRule:
    address = ForgeAddress(ForgeKind(value["kind"]), ForgeUrl(value["url"]), ForgeRepository(value["repository"]))
    return ForgeRule(
        address=address,
        reviewers=tuple(value["reviewers"]),
        checks=tuple(value["checks"]),
        reviews=value.get("reviews", ForgeRule.reviews),
        required=value.get("required", ForgeRule.required),
    )


def _rollback(value: Any) -> RollbackRule:
    return RollbackRule(
        preapproved=Strategy(value.get("preapproved", RollbackRule.preapproved.value)),
        max_age=_seconds_of(value, "max_age", RollbackRule.max_age),
    )


def _ports(value: str) -> tuple[int, int]:
    first, _, last = value.partition("-")
    return int(first), int(last or first)


def _waiver(value: Any) -> Waiver:
    return Waiver(ModuleId(value["module"]), value["rule"], value["reason"], value["expires"])


def _seconds_of(value: Any, key: str, default: int) -> int:
    return seconds(value[key]) if key in value else default
