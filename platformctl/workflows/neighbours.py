"""Modules that share a host and a project: no plan but a module's own may change its services.

A manifest that can not be read names nothing. It keeps only those modules from being planned that it could be beside.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from platformctl.errors import InvalidInput, Refusal
from platformctl.manifests.load import read_module
from platformctl.model.desired import Module
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName, ModuleId
from platformctl.releases import manifest_path, module_ids
from platformctl.releases.trees import Tree

_WORD = re.compile(rb"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Unreadable:
    """A manifest that can not be read: why, and its bytes if its path led to any."""

    refusal: Refusal
    content: bytes | None

    def may_be_beside(self, name: ModuleId, module: Module) -> bool:
        """Return whether the module could be of the same host and project.

        A manifest names its host, and its project unless that is called as its folder is. If neither the path nor the
        letters can be trusted (a link, an escape of YAML), it could be anything.
        """
        return self._has(name, module.host, module.runtime.project)

    def may_be_on(self, name: ModuleId, host: HostName) -> bool:
        """Return whether the module could be of that host."""
        return self._has(name, host)

    def _has(self, name: ModuleId, *words: str) -> bool:
        if self.content is None or b"\\" in self.content:
            return True
        return {word.encode() for word in words} <= {*_WORD.findall(self.content), name.encode()}


Neighbours = Mapping[ModuleId, Module | Unreadable]
"""Every module of a tree, by name."""


def neighbours(tree: Tree) -> Neighbours:
    """Return every module of a tree, including those with a manifest that can not be read."""
    names = module_ids(tree)
    with suppress(Refusal):  # only saves processes: a file that can not be read is found out below
        tree.read_all(map(manifest_path, names))
    return {name: _neighbour(tree, name) for name in names}


def beside(module: Module, known: Neighbours) -> Iterable[Module]:
    """Yield the modules of the same host and project, `module` itself among them.

    Raises `InvalidInput` if a module that can not be read could be one of them.
    """
    for name, each in known.items():
        if isinstance(each, Module):
            if (each.host, each.runtime.project) == (module.host, module.runtime.project):
                yield each
        elif each.may_be_beside(name, module):
            raise InvalidInput(
                "a module that can not be read may share the project",
                detail=f"{manifest_path(name)} could name a service of project {module.runtime.project} on "
                f"{module.host}, which no plan of {module.id} may change: {each.refusal.detail}",
                hint=each.refusal.hint,
                reason=each.refusal.reason,
                file=each.refusal.file,
                line=each.refusal.line,
                host=module.host,
            )


def _neighbour(tree: Tree, name: ModuleId) -> Module | Unreadable:
    content = None
    try:
        file = tree.read(manifest_path(name))
        content = file.content
        return read_module(content, file.path)
    except Refusal as refusal:
        return Unreadable(refusal, content)
