"""Files by path, at one commit or in a working tree: both are a `Tree`, so that the same code judges them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from platformctl import paths
from platformctl.gitinfo import SMALL_BLOB, Repository, input_file, read_inputs
from platformctl.model.desired import InputFile
from platformctl.model.frozen import dataclass
from platformctl.model.names import GitSha, RepoPath

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

    def unnameable(self, folder: str) -> tuple[str, ...]:
        """Return what `below` leaves out: files with a name that no `RepoPath` can have."""


@dataclass(frozen=True)
class CommitTree:
    """The files of one commit, read from git's objects."""

    repository: Repository
    commit: GitSha

    @cached_property
    def _entries(self) -> Mapping[RepoPath, Any]:
        return self.repository.tree(self.commit)

    def read(self, path: RepoPath) -> InputFile:
        """Read as `Tree.read`; small files in the same folder are fetched too, as they are likely to be read next."""
        self.fetch((path.parent,))
        return self.read_all((path,))[0]

    def fetch(self, folders: Iterable[str]) -> None:
        """Load the small files of some folders ahead in one batch, because each call of git costs a process."""
        inside = self.repository.folders(self.commit)
        files = (self._entries[path] for folder in folders for path in inside.get(folder, ()))
        sizes = self.repository.sizes(entry.object_id for entry in files if entry.kind == "blob")
        self.repository.blobs(each for each, size in sizes.items() if size < SMALL_BLOB)

    def read_all(self, paths: Iterable[RepoPath]) -> tuple[InputFile, ...]:
        """Read as `Tree.read_all`, all files in one batch."""
        return read_inputs(self.repository, self.commit, paths, self._entries)

    def object_id(self, path: RepoPath) -> str | None:
        """Return git's id as `Tree.object_id`; it is known already from the tree."""
        entry = self._entries.get(path)
        return entry.object_id if entry else None

    def below(self, folder: str) -> tuple[RepoPath, ...]:
        """List as `Tree.below`."""
        return tuple(sorted(path for path in self._entries if path.startswith(folder + "/")))

    def unnameable(self, folder: str) -> tuple[str, ...]:
        """List as `Tree.unnameable`."""
        return tuple(path for path in self.repository.unnameable(self.commit) if path.startswith(folder + "/"))


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
        return tuple(sorted(RepoPath(path) for path in self._below(folder) if RepoPath.fits(path)))

    def unnameable(self, folder: str) -> tuple[str, ...]:
        """List as `Tree.unnameable`."""
        return tuple(path for path in self._below(folder) if not RepoPath.fits(path))

    def _below(self, folder: str) -> Iterator[str]:
        return (path.relative_to(self.root).as_posix() for path in _leaves(self.root / folder))


def _is_leaf(path: Path) -> bool:
    """Whether git would have one entry for `path`: a file, a link, or a folder that is a repository of its own."""
    return path.is_symlink() or path.is_file() or (path / ".git").exists()


def _leaves(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if _is_leaf(path):
            yield path
        else:
            yield from _leaves(path)
