"""What lies on a host where an apply puts its files: asked by path, answered by digest and mode. It changes nothing."""

from collections.abc import Iterable, Iterator, Mapping

from platformctl.errors import InvalidInput, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest, HostName, RepoPath
from platformctl.model.plan import PlannedFile
from platformctl.store.host import PRELUDE, HostLayout, read_answer, script

_MOST = 64
"""How many paths are in one question: they are words of one line of shell."""

# Operands: root, paths. Each is looked up in its own subshell, so that a link ends the question about that path alone.
_PLACED = (
    PRELUDE
    + r"""
into "$1"; shift
placed() {
  reach "$1" look || { echo absent - -; return; }
  [ -e "./$leaf" ] || { echo absent - -; return; }
  [ -f "./$leaf" ] && digest "./$leaf" && echo "there $sum $(stat -c %a -- "./$leaf")"
}
for path do
  told=$(placed "$path" 2>/dev/null) || told='other - -'
  printf '%s %s\n' "$told" "$path"
done
say looked
"""
)


def placed(layout: HostLayout, paths: Iterable[RepoPath]) -> Iterator[Command]:
    """Yield the commands that ask what lies at `paths`; none if there are no paths."""
    asked = tuple(paths)
    for begin in range(0, len(asked), _MOST):
        yield script(_PLACED, layout.root, *asked[begin : begin + _MOST])


def read_placed(completed: Completed, host: HostName) -> Mapping[RepoPath, PlannedFile | None]:
    """Return what lies at each path, None where nothing does.

    What can not be read, or is no file, is left out. Raises as `read_answer` does.
    """
    answer = read_answer(completed, host)
    try:
        if answer.word == "looked":
            rows = (_row(line) for line in answer.lines)
            return {path: file for word, path, file in rows if word != "other"}
    except (ValueError, InvalidInput) as error:
        raise _not_as_expected(host) from error
    raise _not_as_expected(host)


def _row(line: str) -> tuple[str, RepoPath, PlannedFile | None]:
    word, digest, mode, name = line.split(" ", 3)
    path = RepoPath.parse(name)
    there = word == "there"
    return word, path, PlannedFile(path, Digest.parse(f"sha256:{digest}"), int(mode, 8)) if there else None


def _not_as_expected(host: HostName) -> Unreachable:
    return Unreachable("the host does not answer as expected", detail=f"{host}: files", reason="connect", host=host)
