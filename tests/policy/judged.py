"""A compose file's text before the judge: the shortest way from what somebody writes to what policy says."""

from collections.abc import Mapping
from dataclasses import replace

from platformctl.manifests.compose import read_compose
from platformctl.model.desired import Environment, HostEntry, InputFile, Module, ModuleKind, Release, Runtime
from platformctl.model.finding import Finding
from platformctl.model.names import (
    Digest,
    GitSha,
    HostName,
    ModuleId,
    ProjectName,
    RepoPath,
    ServiceName,
    VariableName,
)
from platformctl.model.policy import Policy, Waiver
from platformctl.policy import judge

COMPOSE_FILE = RepoPath("compose/core/compose.yaml")
DIGEST = Digest("sha256:" + "a" * 64)
TODAY = "2026-06-15"

MODULE = Module(
    id=ModuleId("cache"),
    path=RepoPath("modules/cache/module.yaml"),
    description="",
    owner="platform",
    host=HostName("one"),
    kind=ModuleKind.SERVICE,
    runtime=Runtime("docker-compose", COMPOSE_FILE, ServiceName("web"), ProjectName("cache")),
)
HOST = HostEntry(HostName("one"), "local", "/opt/platform")


def release(
    text: str,
    *,
    variables: Mapping[VariableName, str] | None = None,
    module: Module = MODULE,
    root: str = "/opt/platform",
    files: tuple[InputFile, ...] = (),
) -> Release:
    """A release of `module` whose compose file says `text`; `files` travel along."""
    compose = read_compose(
        text.encode(), module.runtime.compose_file, {str(name): value for name, value in (variables or {}).items()}
    )
    module = replace(module, env=replace(module.env, set=variables or module.env.set))
    return Release(module, replace(HOST, root=root), GitSha("0" * 40), False, files, compose, DIGEST, DIGEST)


def findings(text: str, policy: Policy | None = None, **about: object) -> tuple[Finding, ...]:
    """All that policy says about it, warnings too."""
    return judge(release(text, **about), policy or Policy(), TODAY)  # type: ignore[arg-type]


def denials(text: str, policy: Policy | None = None, **about: object) -> set[str]:
    """The rules that refuse it."""
    return {finding.rule for finding in findings(text, policy, **about) if finding.severity == "deny"}


def service(*lines: str) -> str:
    """A compose file with one service, web, that says `lines` beside its image."""
    return "services:\n  web:\n    image: redis:7\n" + "".join(f"    {line}\n" for line in lines)


def waiving(*rules: str, until: str = "2026-12-31") -> Policy:
    """A policy with a waiver for each of `rules`."""
    return Policy(waivers=tuple(Waiver(MODULE.id, rule, f"because of {rule}", until) for rule in rules))


def with_environment(environment: Environment) -> Module:
    """The module with another `spec.env`."""
    return replace(MODULE, env=environment)
