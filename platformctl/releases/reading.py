"""Read releases from a tree: a module, its host, and every file that travels."""

import json
from collections.abc import Iterable

from platformctl.errors import InvalidInput
from platformctl.manifests.compose import read_compose
from platformctl.manifests.load import read_module
from platformctl.model.compose import ComposeModel
from platformctl.model.desired import HostEntry, InputFile, Module, Release
from platformctl.model.names import Digest, GitSha, ModuleId, RepoPath
from platformctl.model.plan import is_own
from platformctl.releases.env_files import environment_file
from platformctl.releases.fitting import require_fit
from platformctl.releases.trees import Tree

MODULES = "modules"


def module_ids(tree: Tree) -> tuple[ModuleId, ...]:
    """Return the id of every module of the tree: the folders directly below `modules` that have a manifest.

    So that no module is overlooked, raises `PolicyViolation` for a link or submodule in the place of such a folder or
    of `modules` itself, and `InvalidInput` for a folder whose name is no module's.
    """
    if tree.object_id(RepoPath(MODULES)):
        tree.read(RepoPath(MODULES))
    paths = tree.below(MODULES)
    tree.read_all(path for path in paths if len(path.parts) == 2)
    named = (path.split("/") for path in (*paths, *tree.unnameable(MODULES)))
    manifests = (parts for parts in named if len(parts) == 3 and parts[2] == "module.yaml")
    return tuple(ModuleId.parse(parts[1]) for parts in manifests)


def manifest_path(module: ModuleId) -> RepoPath:
    """Return the path of a module's manifest."""
    return RepoPath(f"{MODULES}/{module}/module.yaml")


def read_manifest(tree: Tree, module: ModuleId) -> Module:
    """Return the module that its manifest describes; raises `InvalidInput` that says what is wrong with it."""
    path = manifest_path(module)
    return read_module(tree.read(path).content, path)


def read_release(tree: Tree, module: Module, host: HostEntry, sha: GitSha, *, dirty: bool) -> Release:
    """Return the release of `module` as `tree` has it, for `host` and with the commit `sha`.

    Raises `InvalidInput` for a compose file that does not parse or does not fit the manifest, and `InvalidInput` or
    `PolicyViolation` for files that can not be read.
    """
    compose_path = module.runtime.compose_file
    compose_file = tree.read(compose_path)
    variables = {"COMPOSE_PROJECT_NAME": str(module.runtime.project)}
    variables.update({str(name): value for name, value in module.env.set.items()})
    compose = read_compose(compose_file.content, compose_path, variables)
    require_fit(module, compose)
    others = _others(tree, module, compose)
    files = (compose_file, *others, *environment_file(module))
    return Release(
        module=module,
        host=host,
        source_sha=sha,
        source_dirty=dirty,
        files=files,
        compose=compose,
        digest=_desired_digest(module, host, compose, (*others, *environment_file(module))),
        inputs=inputs_digest(tree, module.id, (file.path for file in files)),
        deciding=tuple(sorted(_deciding(module, compose) - variables.keys())),
    )


def _deciding(module: Module, compose: ComposeModel) -> set[str]:
    """Return the variables that decide more than values of `environment:`, such as which services there are.

    With an `env.file` Compose's own variables are among them: it takes those from such a file too where its command
    line does not set them (seen with 2.26.1).
    """
    named = {name for name, _ in compose.deciding}
    if module.env.file is None:
        return named
    profiles = {"COMPOSE_PROFILES"} if any(service.profiles for service in compose.services.values()) else set()
    return named | profiles | {"COMPOSE_COMPATIBILITY", "COMPOSE_REMOVE_ORPHANS"}


def inputs_digest(tree: Tree, module: ModuleId, files: Iterable[str]) -> Digest:
    """One digest over the manifest and `files` by git's object ids; the tool's own files do not count."""
    named = (manifest_path(module), *(RepoPath(path) for path in files if not is_own(path)))
    return Digest.of(json.dumps(sorted((path, tree.object_id(path)) for path in named)).encode())


def input_paths(module: Module, release: Release) -> frozenset[RepoPath]:
    """Every repository file the release was made from, the manifest too."""
    return frozenset({module.path, *(file.path for file in release.files if not is_own(file.path))})


def _others(tree: Tree, module: Module, compose: ComposeModel) -> tuple[InputFile, ...]:
    """Return the mounted files and env files of the closure, without the compose file.

    An env file that may be absent is among them if the tree has it. The module's `env.file` never is, even if the tree
    has one of that path: it is for the host alone to say what is in it.
    """
    closure = [compose.services[name] for name in compose.closure(module.runtime.compose_service)]
    mounted = {path for service in closure for name in service.mounted for path in _expanded(tree, name)}
    read = {path for service in closure for path in service.env_files if path not in service.may_be_absent}
    optional = {path for service in closure for path in service.may_be_absent if tree.object_id(path)}
    wanted = mounted | read | optional
    return tuple(tree.read(path) for path in sorted(wanted - {compose.path, module.env.file}))


def _expanded(tree: Tree, name: RepoPath) -> tuple[RepoPath, ...]:
    """Return the files at or below a mounted path.

    Raises `PolicyViolation` when a folder above it is a link or submodule: what is behind that is not in the tree. And
    `InvalidInput` for a file with a name that can not be planned: the folder would travel without it.
    """
    above = (RepoPath("/".join(name.parts[:length])) for length in range(1, len(name.parts)))
    tree.read_all(path for path in above if tree.object_id(path))
    if tree.object_id(name):
        return (name,)
    _require_nameable(tree, name)
    return tree.below(name)


def _require_nameable(tree: Tree, folder: RepoPath) -> None:
    left_out = tree.unnameable(folder)
    if left_out:
        raise InvalidInput(
            "a file has a name that can not be planned",
            detail=f"{left_out[0]!a} lies in {folder}, which is mounted",
            hint="give it a name in UTF-8 without control characters and backslashes",
            file=folder,
        )


def _desired_digest(module: Module, host: HostEntry, compose: ComposeModel, others: Iterable[InputFile]) -> Digest:
    names = compose.closure(module.runtime.compose_service)
    return Digest.of(
        json.dumps(
            {
                "host": [host.name, host.root],
                "kind": module.kind.value,
                "runtime": [module.runtime.orchestrator, module.runtime.compose_service, module.runtime.project],
                "compose_file": module.runtime.compose_file,
                "env": [dict(module.env.set), module.env.file, list(module.env.required)],
                "services": {name: compose.services[name].definition for name in names},
                "shared": {key: compose.document.get(key) for key in ("networks", "volumes", "configs", "secrets")},
                "files": [[file.path, file.digest, file.mode] for file in others],
            },
            sort_keys=True,
            default=str,
        ).encode()
    )
