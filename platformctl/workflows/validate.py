"""Check everything that can be checked without a host: manifests, compose files, references, policy."""

from platformctl.errors import ExitCode, PolicyViolation, Refusal
from platformctl.manifests.load import InvalidManifest, check_references
from platformctl.model.desired import Finding, Module, TrustRoots
from platformctl.model.names import ModuleId
from platformctl.model.reports import ValidateReport
from platformctl.policy import judge
from platformctl.releases import FolderTree, manifest_path, module_ids, read_manifest, read_release
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
    for name in wanted:
        if name in modules and modules[name].host in roots.hosts:
            findings.extend(_release_findings(parts, tree, modules[name], roots))
    return _report(tuple(wanted), tuple(findings))


def _release_findings(parts: Parts, tree: FolderTree, module: Module, roots: TrustRoots) -> tuple[Finding, ...]:
    try:
        head = parts.repository.head()
        release = read_release(tree, module, roots.hosts[module.host], head, dirty=True)
    except Refusal as refusal:
        return (_finding(module.id, refusal),)
    return judge(release, roots.policy, moment(parts.clock.now())[:10], planning=False)


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
