"""Check everything that can be checked without a host: manifests, compose files, references, policy."""

from collections.abc import Iterable

from platformctl.errors import ExitCode, PolicyViolation, Refusal
from platformctl.manifests.load import InvalidManifest, check_reached, check_references
from platformctl.model.desired import Module
from platformctl.model.finding import Finding
from platformctl.model.names import ModuleId
from platformctl.model.reports import ValidateReport
from platformctl.policy import judge
from platformctl.releases import manifest_path, module_ids, read_manifest, read_release
from platformctl.releases.trees import FolderTree
from platformctl.workflows.parts import Parts, folder_roots, moment, require_module


def validate(parts: Parts, names: tuple[str, ...]) -> ValidateReport:
    """Return every finding about the working tree's modules; nothing stops at the first."""
    tree = FolderTree(parts.root)
    wanted = tuple(require_module(module_ids(tree), name) for name in names) or module_ids(tree)
    roots = folder_roots(parts)
    modules: dict[ModuleId, Module] = {}
    findings: list[Finding] = []
    for name in module_ids(tree):
        try:
            modules[name] = read_manifest(tree, name)
        except InvalidManifest as refusal:
            findings.extend(refusal.findings if name in wanted else ())
        except Refusal as refusal:
            findings.extend([_finding(name, refusal)] if name in wanted else [])
    findings.extend(f for f in check_references(tuple(modules.values()), roots.hosts) if f.module in wanted)
    reached: dict[Finding, None] = {}
    for name in wanted:
        if name in modules and modules[name].host in roots.hosts:
            try:
                host, head = roots.hosts[modules[name].host], parts.repository.head()
                release = read_release(tree, modules[name], host, head, dirty=True)
            except Refusal as refusal:
                findings.append(_finding(name, refusal))
                continue
            findings.extend(judge(release, roots.policy, moment(parts.clock.now())[:10], planning=False))
            reached.update(dict.fromkeys(check_reached(_sharing(modules[name], modules.values()), release.compose)))
    findings.extend(finding for finding in reached if finding.module in wanted)
    return _report(tuple(wanted), tuple(findings))


def _sharing(module: Module, modules: Iterable[Module]) -> list[Module]:
    """Return the modules that share the host, project and compose file of `module`, itself among them."""
    return [
        each
        for each in modules
        if (each.host, each.runtime.project, each.runtime.compose_file)
        == (module.host, module.runtime.project, module.runtime.compose_file)
    ]


def _finding(module: str, refusal: Refusal) -> Finding:
    return Finding(
        module=module,
        rule=refusal.reason or "form",
        severity="deny" if isinstance(refusal, PolicyViolation) else "error",
        file=refusal.file or manifest_path(ModuleId(module)),
        line=refusal.line,
        field="",
        message=f"{refusal.summary}: {refusal.detail}".removesuffix(": "),
        hint=refusal.hint,
    )


def _report(modules: tuple[str, ...], findings: tuple[Finding, ...]) -> ValidateReport:
    """Return the report. 65 wins over 4: what does not parse was not judged."""
    severities = {finding.severity for finding in findings}
    code = ExitCode.NO_CHANGES
    if "error" in severities:
        code = ExitCode.INVALID_INPUT
    elif "deny" in severities:
        code = ExitCode.POLICY_VIOLATION
    status = "valid" if code is ExitCode.NO_CHANGES else "invalid"
    return ValidateReport(exit_code=code, status=status, modules=modules, findings=findings)
