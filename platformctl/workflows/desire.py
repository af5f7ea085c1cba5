"""What is wanted of a module: its release at HEAD, or as it lies in the working tree, and whether policy agrees."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from platformctl.errors import ApprovalMismatch, InvalidInput, PolicyViolation, Refusal, StalePlan
from platformctl.manifests.references import check_reached
from platformctl.model.desired import NOTHING, Release
from platformctl.model.finding import Finding
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha, ModuleId, RepoPath, ServiceName
from platformctl.model.plan import Plan
from platformctl.model.policy import Policy, TrustRoots
from platformctl.policy import judge
from platformctl.releases import input_paths, manifest_path, module_ids, read_manifest, read_release
from platformctl.releases.trees import CommitTree, FolderTree, Tree
from platformctl.workflows.neighbours import Neighbours, beside, neighbours
from platformctl.workflows.parts import Parts, require_host


@dataclass(frozen=True)
class Desire:
    """The modules of one clone: read at HEAD or, if they differ in the working tree, there and marked as dirty."""

    parts: Parts
    roots: TrustRoots
    head: GitSha

    @cached_property
    def commit(self) -> CommitTree:
        """The tree of HEAD."""
        return CommitTree(self.parts.repository, self.head)

    @cached_property
    def folder(self) -> FolderTree:
        """The working tree."""
        return FolderTree(self.parts.root)

    @cached_property
    def names(self) -> tuple[ModuleId, ...]:
        """Every module of `tree`."""
        return module_ids(self.tree)

    @cached_property
    def changed(self) -> frozenset[str]:
        """Paths whose bytes differ from HEAD's."""
        return self.parts.repository.changed_paths()

    @cached_property
    def tree(self) -> Tree:
        """The tree in which modules are looked up. The working tree also has modules that are not committed yet."""
        return self.folder if self.changed else self.commit

    def release(self, module: ModuleId) -> Release:
        """Return the release of a module; it is `source_dirty` when an input of it differs from HEAD."""
        if not self.changed:
            return self._read(self.commit, module, dirty=False)
        here = self._read(self.folder, module, dirty=True)
        return here if self._touches(here, module) else self._read(self.commit, module, dirty=False)

    def removal(self, module: ModuleId, applied: GitSha) -> Release:
        """Return the removal of a module without a manifest, whose release was `applied` at that commit.

        It is `source_dirty` while HEAD still has the manifest.
        """
        if module not in module_ids(self.commit):
            return removal_at(self.parts, self.roots, self.head, module, applied)
        there = release_at(self.parts, self.roots, applied, module)
        return replace(there, gone=True, digest=NOTHING, inputs=NOTHING, source_sha=self.head, source_dirty=True)

    @cached_property
    def modules(self) -> Neighbours:
        """Every module, also those that can not be read. Each is read once, however many are planned."""
        return neighbours(self.tree)

    def require_owned(self, release: Release) -> None:
        """Raise `InvalidInput` if the release reaches a service that another module reaches too and none names.

        Only what is newly wanted is asked for this: to a release that is recorded one may go back.
        """
        if release.gone or len(release.closure) == 1:
            return
        module = release.module
        found = check_reached(tuple(beside(module, self.modules)), release.compose)
        mine = next((each for each in found if each.module == module.id), None)
        if mine is not None:
            raise InvalidInput(
                "nobody has said which module a service belongs to",
                detail=mine.message,
                hint=mine.hint,
                reason=mine.rule,
                file=mine.file,
                host=module.host,
            )

    def owners(self, release: Release) -> Mapping[ServiceName, str]:
        """Return which module owns which service of the release's project on its host.

        For a removal, services that other modules need count as theirs too.
        """
        return _owners(self.tree, self.modules, self.roots, release)

    def _read(self, tree: Tree, name: ModuleId, *, dirty: bool) -> Release:
        module = read_manifest(tree, name)
        host = require_host(self.roots, module.host, file=module.path)
        return read_release(tree, module, host, self.head, dirty=dirty)

    def _touches(self, here: Release, module: ModuleId) -> bool:
        """Return whether a changed path is an input of the module now, or was one at HEAD."""
        inputs: set[RepoPath] = {*input_paths(here.module, here), manifest_path(module)}
        if inputs & self.changed:
            return True
        try:
            there = self._read(self.commit, module, dirty=False)
        except Refusal:
            return True
        return bool(input_paths(there.module, there) & self.changed)


def removal_at(parts: Parts, roots: TrustRoots, commit: GitSha, name: ModuleId, applied: GitSha) -> Release:
    """Return the removal of a module that `commit` no longer has and whose release was that of `applied`.

    Raises `StalePlan` if `commit` has the module.
    """
    if name in module_ids(CommitTree(parts.repository, commit)):
        raise StalePlan(
            "the module is there", detail=f"{commit} has {manifest_path(name)}", hint="plan again", reason="changed"
        )
    there = release_at(parts, roots, applied, name)
    return replace(there, gone=True, digest=NOTHING, inputs=NOTHING, source_sha=commit)


def planned_release(parts: Parts, roots: TrustRoots, commit: GitSha, plan: Plan) -> Release:
    """Return the release of a plan as one commit has it: that of its module, or its removal."""
    if plan.desired != NOTHING:
        return release_at(parts, roots, commit, plan.module)
    return removal_at(parts, roots, commit, plan.module, commit_of(plan))


def commit_of(plan: Plan) -> GitSha:
    """Return the commit of the release that a plan brings, or takes away.

    Raises `InvalidInput` for a removal that does not name the release.
    """
    if plan.desired != NOTHING:
        return plan.source_sha
    if plan.rollback.to is None:
        raise InvalidInput("a plan contradicts itself", detail="plan: rollback.to names no release to remove")
    return plan.rollback.to


def require_merged(parts: Parts, commit: GitSha, roots: TrustRoots) -> None:
    """Raise `ApprovalMismatch` (`not_merged`) if policy requires merged commits and this one is not merged."""
    trusted = roots.commit or parts.repository.trusted_ref(None)
    if roots.policy.require_merged and not parts.repository.is_ancestor(commit, trusted):
        raise ApprovalMismatch(
            "the commit is not merged",
            detail=f"{commit} is not an ancestor of {trusted}",
            hint="merge it, or fetch what was merged",
            reason="not_merged",
        )


def owners_at(parts: Parts, roots: TrustRoots, commit: GitSha, release: Release) -> Mapping[ServiceName, str]:
    """Return which module owns which service, as `Desire.owners` does, but at one commit."""
    tree = CommitTree(parts.repository, commit)
    if commit not in parts.manifests:
        parts.manifests[commit] = neighbours(tree)
    return _owners(tree, parts.manifests[commit], roots, release)


def _owners(tree: Tree, modules: Neighbours, roots: TrustRoots, release: Release) -> Mapping[ServiceName, str]:
    others = tuple(beside(release.module, modules))
    named = {module.runtime.compose_service: module.id for module in others}
    if not release.gone:
        return {**_behind(release, named), **named}
    releases = (read_release(tree, m, require_host(roots, m.host), release.source_sha, dirty=False) for m in others)
    return {**{service: each.module.id for each in releases for service in each.closure}, **named}


def _behind(release: Release, named: Mapping[ServiceName, str]) -> Mapping[ServiceName, str]:
    """Return services that no module names, with the module whose service needs them, if it is not this one.

    A service that this module reaches only through a named service of another module belongs to that module.
    """
    compose = release.compose
    mine = compose.reached(release.module.runtime.compose_service, named)
    reached = {
        service: owner
        for name, owner in sorted(named.items(), reverse=True)
        if name in release.closure
        for service in compose.closure(name)
    }
    return {service: owner for service, owner in reached.items() if service not in mine}


def release_at(parts: Parts, roots: TrustRoots, commit: GitSha, name: ModuleId) -> Release:
    """Return the release of a module at one commit, from git's objects alone."""
    tree = CommitTree(parts.repository, commit)
    module = read_manifest(tree, name)
    return read_release(tree, module, require_host(roots, module.host, file=module.path), commit, dirty=False)


def agreed(release: Release, policy: Policy, today: str) -> tuple[Finding, ...]:
    """Return the findings of policy that a plan carries; none for a removal.

    Raises `PolicyViolation` with all denials, not only the first.
    """
    if release.gone:
        return ()
    findings = judge(release, policy, today)
    denied = tuple(finding for finding in findings if finding.severity in ("deny", "error"))
    if denied:
        raise denial(release.module.id, denied)
    return findings


def denial(module: str, denied: tuple[Finding, ...]) -> PolicyViolation:
    """Return the refusal that names every denial."""
    first = denied[0]
    lines = (f"{f.file}{f':{f.line}' if f.line else ''} {f.rule} {f.field}: {f.message}" for f in denied)
    return PolicyViolation(
        "policy refuses the module",
        detail=f"module {module}: {len(denied)} finding{'s' * (len(denied) != 1)}\n" + "\n".join(lines),
        hint=first.hint or "platformctl validate",
        reason=first.rule,
        file=first.file,
        line=first.line,
    )
