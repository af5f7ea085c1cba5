"""Read releases from a tree: a module, its host, and every file that travels, from one commit or a working tree.

Everything is read through `Tree`, so that a commit and a working tree are judged by the same code.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Protocol

from platformctl import paths
from platformctl.errors import InvalidInput
from platformctl.gitinfo import SMALL_BLOB, Repository, input_file, read_inputs
from platformctl.manifests.compose import read_compose
from platformctl.manifests.load import read_module
from platformctl.model.compose import ComposeModel
from platformctl.model.desired import TAG, HostEntry, InputFile, Module, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, ModuleId, RepoPath
from platformctl.model.plan import OWN_FOLDER, is_own

MODULES = "modules"
FILE_LIMIT = 16 << 20
"""The most bytes a delivered file may have; larger things belong in an image or a volume."""


class Tree(Protocol):
    """Files by path, at one commit or in a working tree."""

    def read(self, path: RepoPath) -> InputFile:
        """Return a file; raises `InvalidInput` when there is none or it is too large.

        Raises `PolicyViolation` for a link, a submodule, a Git LFS pointer and anything else but a file.
        """

    def read_all(self, paths: Iterable[RepoPath]) -> tuple[InputFile, ...]:
        """Return many files, as `read` does."""

    def object_id(self, path: RepoPath) -> str | None:
        """Return git's object id of a file's bytes, None where there is no file."""

    def below(self, folder: str) -> tuple[RepoPath, ...]:
        """Return every file below a folder, sorted; empty when it is no folder."""


@dataclass(frozen=True)
class CommitTree:
    """The files of one commit, read from git's objects."""

    repository: Repository
    commit: GitSha

    @cached_property
    def _entries(self) -> Mapping[RepoPath, Any]:
        return self.repository.tree(self.commit, ())

    def read(self, path: RepoPath) -> InputFile:
        """Read as `Tree.read`; small files in the same folder are fetched too, as they are likely to be read next."""
        self.fetch((path.parent,))
        return self.read_all((path,))[0]

    def fetch(self, folders: Iterable[str]) -> None:
        """Load the small files of some folders ahead in one batch, because each call of git costs a process."""
        files = (self._entries[path] for folder in folders for path in self._by_folder.get(folder, ()))
        sizes = self.repository.sizes(entry.object_id for entry in files if entry.kind == "blob")
        self.repository.blobs(each for each, size in sizes.items() if size < SMALL_BLOB)

    def read_all(self, paths: Iterable[RepoPath]) -> tuple[InputFile, ...]:
        """Read as `Tree.read_all`, all files in one batch."""
        return read_inputs(self.repository, self.commit, paths, self._entries)

    @cached_property
    def _by_folder(self) -> Mapping[str, list[RepoPath]]:
        folders: dict[str, list[RepoPath]] = {}
        for path in self._entries:
            folders.setdefault(path.parent, []).append(path)
        return folders

    def object_id(self, path: RepoPath) -> str | None:
        """Return git's id as `Tree.object_id`; it is known already from the tree."""
        entry = self._entries.get(path)
        return entry.object_id if entry else None

    def below(self, folder: str) -> tuple[RepoPath, ...]:
        """List as `Tree.below`."""
        return tuple(sorted(path for path in self._entries if path.startswith(folder + "/")))


@dataclass(frozen=True)
class FolderTree:
    """The files of a working tree, opened without following a link."""

    root: Path

    def read(self, path: RepoPath) -> InputFile:
        """Read as `Tree.read`."""
        content, mode = paths.read_beneath(self.root, path, limit=FILE_LIMIT)
        return input_file(path, content, mode)

    def read_all(self, paths: Iterable[RepoPath]) -> tuple[InputFile, ...]:
        """Read as `Tree.read_all`."""
        return tuple(self.read(path) for path in paths)

    def object_id(self, path: RepoPath) -> str | None:
        """Compute the id of `Tree.object_id` as git does; raises `PolicyViolation` for links and submodules."""
        if not _is_leaf(self.root / path):
            return None
        content = self.read(path).content
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    def below(self, folder: str) -> tuple[RepoPath, ...]:
        """List as `Tree.below`; links and submodules are listed too, as in git, and refused when they are read."""
        found = (path.relative_to(self.root).as_posix() for path in _leaves(self.root / folder))
        return tuple(sorted(map(RepoPath.parse, found)))


def _is_leaf(path: Path) -> bool:
    """Whether git would have one entry for `path`: a file, a link, or a folder that is a repository of its own."""
    return path.is_symlink() or path.is_file() or (path / ".git").exists()


def _leaves(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if _is_leaf(path):
            yield path
        else:
            yield from _leaves(path)


def module_ids(tree: Tree) -> tuple[ModuleId, ...]:
    """Return the id of every module of the tree: the folders directly below `modules` that have a manifest.

    Raises `PolicyViolation` for a link or submodule in the place of such a folder, so that no module is overlooked.
    """
    paths = tree.below(MODULES)
    tree.read_all(path for path in paths if len(path.parts) == 2)
    manifests = (path.parts for path in paths if len(path.parts) == 3 and path.parts[2] == "module.yaml")
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
    _require_service(module, compose)
    _require_order(module, compose)
    _require_names(module, compose)
    _require_tag(module, compose)
    others = _others(tree, module, compose)
    files = (compose_file, *others, *_environment_file(module))
    return Release(
        module=module,
        host=host,
        source_sha=sha,
        source_dirty=dirty,
        files=files,
        compose=compose,
        digest=_desired_digest(module, host, compose, (*others, *_environment_file(module))),
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


def _require_service(module: Module, compose: ComposeModel) -> None:
    name = module.runtime.compose_service
    if name not in compose.services:
        near = get_close_matches(name, compose.services, n=1)
        raise InvalidInput(
            "the service is not in the compose file",
            detail=f"{compose.path} has no service {name}; it has: {', '.join(sorted(compose.services))}",
            hint=(f"did you mean {near[0]}? " if near else "") + f"set spec.runtime.compose_service of {module.id}",
            file=module.path,
        )


def _require_order(module: Module, compose: ComposeModel) -> None:
    """Raise `InvalidInput` when services of the closure need each other in a cycle.

    Compose would refuse it on the host; here it is found before any host is asked.
    """
    closure = compose.closure(module.runtime.compose_service)
    needs = {name: [each for each in compose.services[name].needs if each in closure] for name in closure}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        around = tuple(reversed(error.args[1]))
        raise InvalidInput(
            "services wait for each other",
            detail=" → ".join(around),
            hint="remove one of them from what another one needs: depends_on, links, volumes_from, service:NAME",
            file=compose.path,
            line=compose.line_of(f"services.{around[0]}"),
        ) from error


def _require_names(module: Module, compose: ComposeModel) -> None:
    """Compose finds it out too, on a host, of all services that it knows."""
    for name in sorted(compose.brought_by(module.runtime.compose_service)):
        service = compose.services[name]
        if service.definition.get("container_name") and service.replicas > 1:
            raise InvalidInput(
                "several containers would have one name",
                detail=f"service {service.name} has container_name and is to have {service.replicas} containers",
                hint="leave container_name out, or scale and deploy.replicas",
                file=compose.path,
                line=compose.line_of(f"services.{service.name}.container_name"),
            )


def _require_tag(module: Module, compose: ComposeModel) -> None:
    """Raise `InvalidInput` when the canary expects `{tag}` and the service's image has no tag.

    The canary would then expect an empty text, which every answer has.
    """
    version = module.canary.version if module.canary else None
    if version and TAG in version.expect and not compose.services[module.runtime.compose_service].tag:
        raise InvalidInput(
            "the canary expects a tag that the image does not have",
            detail=f"{module.id}: spec.canary.version.expect has {TAG}, and {compose.path} names no tag",
            hint="write image: name:tag or name:tag@sha256:…, or the version itself",
            file=module.path,
        )


def _others(tree: Tree, module: Module, compose: ComposeModel) -> tuple[InputFile, ...]:
    """Return the mounted files and env files of the closure, without the compose file.

    So is an env file that may be absent, and `env.file`, also where the tree has one: brought along, it would decide
    what the host alone may decide.
    """
    closure = [compose.services[name] for name in compose.closure(module.runtime.compose_service)]
    mounted = {path for service in closure for name in service.mounted for path in _expanded(tree, name)}
    read = {path for service in closure for path in service.env_files if path not in service.may_be_absent}
    optional = {path for service in closure for path in service.may_be_absent if tree.object_id(path)}
    wanted = mounted | read | optional
    return tuple(tree.read(path) for path in sorted(wanted - {compose.path, module.env.file}))


def _expanded(tree: Tree, name: RepoPath) -> tuple[RepoPath, ...]:
    """Return the files at or below a mounted path.

    Raises `PolicyViolation` when a folder above it is a link or submodule: what is behind that is not in the tree.
    """
    above = (RepoPath("/".join(name.parts[:length])) for length in range(1, len(name.parts)))
    tree.read_all(path for path in above if tree.object_id(path))
    return (name,) if tree.object_id(name) else tree.below(name)


def _environment_file(module: Module) -> tuple[InputFile, ...]:
    """Return `env.set` as an env file, none if it is empty.

    The file is named by its digest, so that the one of an older release stays beside it.
    """
    if not module.env.set:
        return ()
    content = "".join(f"{name}={quoted(value)}\n" for name, value in sorted(module.env.set.items())).encode()
    digest = Digest.of(content)
    return (InputFile(RepoPath(f"{OWN_FOLDER}/blobs/{digest.hexadecimal}"), content, digest, 0o600),)


def quoted(value: str) -> str:
    """Return a value quoted so that Compose reads it literally from an env file.

    Single quotes have no escapes, but a backslash before the closing quote would hide it; double quotes have a few.
    """
    if not value.endswith("\\") and not any(character in value for character in "'\n\r"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def read_environment(content: bytes) -> Mapping[str, str]:
    """Return the variables in an env file whose values `quoted` wrote."""
    lines = (line.partition("=") for line in content.decode().split("\n") if line)
    return {name: _unquoted(value) for name, _, value in lines}


def _unquoted(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text[1:-1])


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
