"""What git knows: commits, which files differ from HEAD, and the bytes of a file at a commit. Runs `git`, reads only.

Hooks, file-system monitors, replacement objects and pagers are off: a repository that is only read must not run
anything. `environment` is the caller's; nothing here reads the process's own.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path

from platformctl.errors import ApprovalMismatch, InvalidInput, PolicyViolation, ToolError
from platformctl.model.desired import InputFile
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, GitSha, RepoPath

SMALL_BLOB = 64 << 10
"""Bytes below which an object is remembered for the run."""
TIMEOUT = 60
"""Seconds any question to git may take."""
_QUIET = ("--no-replace-objects", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_SAFE = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # A partial clone fetches what it misses, through whatever program its configuration names: not while we read.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_PASSED_ON = ("HOME", "PATH", "XDG_CONFIG_HOME")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@{}^~+-]{0,254}\Z")
_BEHIND_A_NAME = re.compile(r"[~^]|@\{")
_PLACES = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""Where git looks for a ref, in its order: gitrevisions(7)."""
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_KINDS = {"120000": "symlink", "160000": "submodule"}
INPUT_LIMIT = 16 << 20
"""Bytes a file may have that a release is made from."""
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class TreeEntry:
    """One path of a commit. `kind` is blob, symlink or submodule; `mode` 0o644 or 0o755."""

    kind: str
    mode: int
    object_id: str


@dataclass(frozen=True)
class Repository:
    """A git repository with at least a working tree; `root` is its top folder."""

    root: Path
    environment: Mapping[str, str]
    _small: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    _trees: dict[GitSha, Mapping[RepoPath, TreeEntry]] = field(default_factory=dict, compare=False, repr=False)
    _unnameable: dict[GitSha, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    _folders: dict[GitSha, Mapping[str, list[RepoPath]]] = field(default_factory=dict, compare=False, repr=False)
    _ancestors: dict[tuple[GitSha, GitSha], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def discover(cls, start: Path, environment: Mapping[str, str]) -> "Repository":
        """The repository that `start` lies in; raises `InvalidInput` when there is none."""
        told = _git(start, environment, ("rev-parse", "--show-toplevel"))
        if told.returncode:
            hint = (
                "git init, then platformctl init; where it is another user's: git config --global --add safe.directory"
            )
            raise InvalidInput("this is not a git repository", detail=str(start), hint=hint)
        return cls(Path(told.stdout.decode().rstrip("\n")), environment)

    def head(self) -> GitSha:
        """The commit that is checked out; raises `InvalidInput` before the first one."""
        return self.resolve("HEAD")

    def resolve(self, ref: str) -> GitSha:
        """The commit a ref names; raises `InvalidInput` when it names none."""
        if not _REF.match(ref):
            raise InvalidInput("not a git ref", detail="a ref begins with a letter or digit and has no spaces")
        told = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        if told.returncode:
            raise InvalidInput("there is no such commit", detail=ref, hint="git fetch, or commit first")
        return GitSha.parse(told.stdout.decode().strip())

    def branch(self) -> str:
        """The branch that is checked out, "" when none is."""
        told = self._ask("symbolic-ref", "--quiet", "HEAD")
        return told.stdout.decode("utf-8", "replace").strip() if told.returncode == 0 else ""

    def origin_url(self) -> str:
        """Where `origin` is, without credentials; "" where there is none."""
        told = self._ask("config", "--get", "remote.origin.url")
        return _CREDENTIALS.sub("", told.stdout.decode("utf-8", "replace").strip())

    def signing_key(self) -> str:
        """The person's key for signing commits, when that is an SSH key; "" otherwise."""
        key = self._person.get("user.signingkey", "")
        if key.startswith("~"):
            key = (
                self._ask("config", "--type=path", "--get", "user.signingkey").stdout.decode("utf-8", "replace").strip()
            )
        is_file = self._person.get("gpg.format") == "ssh" and not key.startswith(("ssh-", "key::"))
        return key if is_file else ""

    def person(self) -> str:
        """The address git has for the person, "" when it has none."""
        return self._person.get("user.email", "")

    @cached_property
    def _person(self) -> Mapping[str, str]:
        """What git's configuration says of the person, by name; in one question, the last of several counts."""
        told = self._ask("config", "-z", "--get-regexp", "^(user|gpg)[.](email|signingkey|format)$")
        rows = (row.partition("\n") for row in told.stdout.decode("utf-8", "replace").split("\0"))
        return {name: value.strip() for name, _, value in rows}

    def trusted_ref(self, explicit: str | None) -> GitSha:
        """The commit trust roots are read from: `explicit`, else origin's HEAD; HEAD only where there is no remote.

        Raises `ApprovalMismatch` (`trust_ref_missing`) rather than to fall back, and for a name that several refs have:
        git would take the tag, which a fetch brings from whoever pushed it.
        """
        if explicit is not None:
            self._require_one(explicit)
            return self._trusted(explicit)
        if not self._told("remote").strip():
            return self.head()
        return self._trusted("refs/remotes/origin/HEAD")

    def is_ancestor(self, old: GitSha, new: GitSha) -> bool:
        """Whether `old` is `new` or lies before it; False for commits this clone does not have. Asked once a run."""
        if old == new and new in self._trees:
            return True  # its tree was read
        if (old, new) not in self._ancestors:
            self._ancestors[old, new] = self._ask("merge-base", "--is-ancestor", old, new).returncode == 0
        return self._ancestors[old, new]

    def changes_of(self, paths: Sequence[str], since: GitSha, until: GitSha) -> tuple[GitSha, ...]:
        """The commits after `since`, up to `until`, with which one of `paths` changed on the way there, oldest first.

        A merge counts as one change, that of the branch it was merged into.
        """
        told = self._told("rev-list", "--first-parent", "--reverse", f"{since}..{until}", "--", *paths)
        return tuple(GitSha.parse(line) for line in told.decode().split())

    def tree(self, commit: GitSha) -> Mapping[RepoPath, TreeEntry]:
        """Every path of a commit. Paths that no manifest could name are left out.

        Raises `InvalidInput` for a commit that this clone does not have.
        """
        if commit not in self._trees:
            listed = self._listed("ls-tree", "-r", "-z", "--full-tree", commit, of=commit)
            rows = (row.partition("\t") for row in listed.decode("utf-8", "surrogateescape").split("\0") if row)
            named = {path: facts for facts, _, path in rows}
            self._unnameable[commit] = tuple(path for path in named if not RepoPath.fits(path))
            self._trees[commit] = {RepoPath(p): _entry(named[p]) for p in named if RepoPath.fits(p)}
        return self._trees[commit]

    def folders(self, commit: GitSha) -> Mapping[str, Sequence[RepoPath]]:
        """The paths that are directly in each folder of a commit."""
        if commit not in self._folders:
            found: dict[str, list[RepoPath]] = {}
            for path in self.tree(commit):
                found.setdefault(path.parent, []).append(path)
            self._folders[commit] = found
        return self._folders[commit]

    def unnameable(self, commit: GitSha) -> tuple[str, ...]:
        """The paths of a commit that `tree` leaves out."""
        self.tree(commit)
        return self._unnameable[commit]

    def blobs(self, ids: Iterable[str]) -> Mapping[str, bytes]:
        """The bytes of objects by id, in one question; small ones are remembered, as an id never means other bytes."""
        wanted = set(ids)
        missing = sorted(wanted - self._small.keys())
        found = self._fetched(missing) if missing else {}
        self._small.update((each, content) for each, content in found.items() if len(content) < SMALL_BLOB)
        return {each: found[each] if each in found else self._small[each] for each in wanted}

    def sizes(self, ids: Iterable[str]) -> Mapping[str, int]:
        """How many bytes objects have, by id, in one question: git opens each, so ask for those that will be read."""
        wanted = set(ids)
        known = {each: len(self._small[each]) for each in wanted & self._small.keys()}
        missing = sorted(wanted - known.keys())
        return {**known, **(_sizes(self._asked_for("--batch-check", missing)) if missing else {})}

    def _fetched(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return _batch(self._asked_for("--batch", ids))

    def _asked_for(self, question: str, ids: Sequence[str]) -> bytes:
        return self._told("cat-file", question, stdin="".join(f"{each}\n" for each in ids).encode())

    def changed_paths(self) -> frozenset[str]:
        """Paths whose bytes in the working tree differ from HEAD's, new files too, ignored ones not."""
        told = self._told("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        rows = told.decode("utf-8", "surrogateescape").split("\0")
        return frozenset(row[3:] for row in rows if row)

    def _require_one(self, ref: str) -> None:
        name = _BEHIND_A_NAME.split(ref, maxsplit=1)[0]
        if name.startswith("refs/") or not _REF.match(ref):
            return
        places = [place.format(name) for place in _PLACES]
        known = self._told("for-each-ref", "--format=%(refname)", "--", *places).decode().splitlines()
        there = [place for place in places if place in known]
        if len(there) > 1:
            raise ApprovalMismatch(
                "the ref with the trust roots can be read in two ways",
                detail=f"{ref} is {' and '.join(there)}",
                hint=f"write it in full: --trust-ref {there[-1]}",
                reason="trust_ref_missing",
            )

    def _trusted(self, ref: str) -> GitSha:
        try:
            return self.resolve(ref)
        except InvalidInput as error:
            raise ApprovalMismatch(
                "the ref with the trust roots is missing",
                detail=f"{ref} names no commit here",
                hint="git remote set-head origin -a, or --trust-ref REF",
                reason="trust_ref_missing",
            ) from error

    def _listed(self, *words: str, of: GitSha) -> bytes:
        try:
            return self._told(*words)
        except ToolError as error:
            if self._ask("cat-file", "-e", of).returncode == 0:
                raise
            raise InvalidInput(
                "this clone does not have the commit",
                detail=of,
                hint="git fetch; where it was never pushed, get it from whoever applied it",
            ) from error

    def _told(self, *words: str, stdin: bytes = b"") -> bytes:
        told = self._ask(*words, stdin=stdin)
        if told.returncode:
            raise ToolError(
                "git could not answer",
                detail=f"git {words[0]} ended with status {told.returncode}",
                hint="git fsck, and git status",
            )
        return told.stdout

    def _ask(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return _git(self.root, self.environment, words, stdin)


def read_inputs(
    repository: Repository, commit: GitSha, paths: Iterable[RepoPath], entries: Mapping[RepoPath, TreeEntry]
) -> tuple[InputFile, ...]:
    """The files at `paths` as one commit has them, in that order.

    Raises `InvalidInput` for a path that is not in the commit or larger than `INPUT_LIMIT`, and `PolicyViolation` for
    links, submodules and LFS pointers: what they lead to is not in the commit.
    """
    wanted = tuple(paths)
    found = {path: _required(entries, path, commit) for path in wanted}
    sizes = repository.sizes(entry.object_id for entry in found.values())
    for path, entry in found.items():
        _require_small(path, sizes[entry.object_id])
    contents = repository.blobs(sizes)
    return tuple(input_file(path, contents[found[path].object_id], found[path].mode) for path in wanted)


def input_file(path: RepoPath, content: bytes, mode: int) -> InputFile:
    """A file that a release may be made from; raises `PolicyViolation` for an LFS pointer, whose file is elsewhere."""
    if content.startswith(_LFS):
        raise PolicyViolation(
            "a file is kept elsewhere", detail=f"{path} is a Git LFS pointer", reason="not-regular", file=path
        )
    return InputFile(path, content, Digest.of(content), mode)


def _required(entries: Mapping[RepoPath, TreeEntry], path: RepoPath, commit: GitSha) -> TreeEntry:
    if path not in entries:
        raise InvalidInput(
            "a file is not there",
            detail=f"{path} is not in commit {commit[:12]}",
            hint="commit it, or correct the path",
            file=path,
        )
    if entries[path].kind != "blob":
        raise PolicyViolation(
            "a path is not a regular file",
            detail=f"{path} is a {entries[path].kind}",
            hint="put the file itself into the repository",
            reason="symlink" if entries[path].kind == "symlink" else "not-regular",
            file=path,
        )
    return entries[path]


def _require_small(path: RepoPath, size: int) -> None:
    if size > INPUT_LIMIT:
        raise InvalidInput(
            "a file is too large",
            detail=f"{path} has more than {INPUT_LIMIT} bytes",
            hint="put it in an image",
            file=path,
        )


def _entry(facts: str) -> TreeEntry:
    mode, _, object_id = facts.split()
    return TreeEntry(_KINDS.get(mode, "blob"), 0o755 if mode == "100755" else 0o644, object_id)


def _sizes(answer: bytes) -> dict[str, int]:
    """`<id> <type> <size>` or `<id> missing`, a line each."""
    rows = [line.split() for line in answer.splitlines()]
    for row in rows:
        _require_there(row)
    return {row[0].decode(): int(row[2]) for row in rows}


def _require_there(words: Sequence[bytes]) -> None:
    if len(words) != 3:
        raise ToolError("git misses an object", detail=words[0].decode(), hint="git fsck")


def _batch(answer: bytes) -> dict[str, bytes]:
    """`<id> <type> <size>\\n<bytes>\\n` for each object, `<id> missing\\n` for one that is not there."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        _require_there(words)
        size = int(words[2])
        found[words[0].decode()] = answer[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return found


def _git(
    folder: Path, environment: Mapping[str, str], words: Sequence[str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    kept = {name: environment[name] for name in _PASSED_ON if name in environment}
    safe = {**kept, **_SAFE}
    line = ["git", *_QUIET, *words]
    try:
        return subprocess.run(
            line, cwd=folder, env=safe, input=stdin, capture_output=True, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise ToolError("git is not installed, or the folder is gone", hint="install git") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError("git did not answer", detail=f"git {words[0]}: within {TIMEOUT} seconds") from error
