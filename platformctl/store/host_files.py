"""Files on a host by their digest: bring them, keep what they replace, put them in place, take them away.

No path is followed through a link below the root, and every file is old or new: its bytes are checked and durable
before the rename that shows them.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping

from platformctl.errors import InvalidInput, Unreachable
from platformctl.model.archive import archive
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest, HostName, RepoPath
from platformctl.model.plan import PlannedFile
from platformctl.store.host import PRELUDE, HostLayout, read_answer, script

# Operands: root, number of files, their bytes. Standard input: a tar of them. Each is named by its digest, which also
# shows whether all of it arrived.
_STAGE = (
    PRELUDE
    + r"""
into "$1"; aside
mkdir -- "$work" 2>/dev/null || fail "$base/tmp" 4096
if ! tar -xf - -C "$work" --no-same-owner --no-same-permissions 2>/dev/null; then
  why "$base/tmp" "$3"; [ "$word" != failed ] || ! command -v tar >/dev/null || no truncated
  no "$word" "$base/tmp"
fi
cd "$work" || no failed "$base/tmp"
files=$2; set -- *
[ $# -eq "$files" ] || no truncated
for name; do
  case $name in *[!0-9a-f]*) no unsafe archive ;; esac
  if [ "${#name}" -ne 64 ] || [ -L "$name" ] || [ ! -f "$name" ]; then no unsafe archive; fi
done
sums=$(sha256sum -- "$@") || no failed "$base/tmp"
for name; do case $sums in *"$name  $name"*) ;; *) no damaged archive ;; esac; done
if ! sync -- "$@" || ! mv -f -t "$base/blobs" -- "$@" || ! sync -- "$base/blobs"; then fail "$base/blobs" 4096; fi
say staged
"""
)

# root, bytes that are to be placed; standard input: one path a line, and `/`, which is none. What a step would find out
# is found out here, where nothing is touched yet: whether there is room for another copy of what was staged, and
# whether each file can be put into its folder and that be synced, or be made. The shell asks the kernel that by itself.
# A file is copied first, so that its bytes and its mode are those of one file, which was no link.
_KEEP = (
    PRELUDE
    + r"""
keep() {
  reach "$1" look; found=$?
  if [ ! -r . ] || [ ! -w . ]; then why . 0; [ "$word" != failed ] || word=denied; no "$word" "$1"; fi
  if [ "$found" != 0 ] || [ ! -e "./$leaf" ]; then printf 'absent - - %s\n' "$1"; return 0; fi
  [ -f "./$leaf" ] || no unsafe "$1"
  gone
  cp -P --preserve=mode -- "./$leaf" "$work" 2>/dev/null || fail "$base/tmp" "$(stat -c %s -- "./$leaf")"
  [ ! -L "$work" ] || no unsafe "$1"
  digest "$work"; mode=$(stat -c %a -- "$work")
  if [ ! -e "$base/blobs/$sum" ]; then chmod 600 "$work"; replace "$work" "$base/blobs/$sum"; fi
  printf 'kept %s %s %s\n' "$sum" "$mode" "$1"
}
into "$1"; aside
while IFS= read -r path && [ "$path" != / ]; do keep "$path"; done
[ "$path" = / ] || no truncated
gone
printf "%${2}s" '' 2>/dev/null >"$work" || fail "$base/tmp" "$2"
say kept
"""
)

# Operands: root, path, hexadecimal digest, mode.
_PLACE = (
    PRELUDE
    + r"""
into "$1"; blob=$base/blobs/$3
if [ -L "$blob" ] || [ ! -f "$blob" ]; then no missing "$3"; fi
reach "$2" make
[ ! -d "./$leaf" ] || no unsafe "$2"
part=./.platformctl.$3
if [ -e "$part" ] || [ -L "$part" ]; then rm -f -- "$part"; fi
if ! (set -C; cat -- "$blob" >"$part") 2>/dev/null; then
  why . "$(stat -c %s -- "$blob")"; rm -f -- "$part"; no "$word" "$2"
fi
digest "$part"
if [ "$sum" != "$3" ]; then rm -f -- "$part"; no damaged "$3"; fi
if ! chmod "$4" "$part" || ! sync -- "$part" || ! mv -fT -- "$part" "./$leaf" || ! sync -- .; then fail . 4096; fi
say placed
"""
)

# Operands: root, path.
_REMOVE = (
    PRELUDE
    + r"""
into "$1"
if ! reach "$2" look || [ ! -e "./$leaf" ]; then say removed; fi
if ! rm -- "./$leaf" 2>/dev/null || ! sync -- .; then fail . 4096; fi
say removed
"""
)


# Operands: root, most bytes of a file, then a hexadecimal digest and a path for each file. A file with another digest
# stays on the host: the caller may rely on what somebody else wrote, and the path may be that of a secret.
_RECOLLECT = (
    PRELUDE
    + r"""
into "$1"; limit=$2; shift 2
place() { if reach "$1" look && [ -f "./$leaf" ]; then printf '%s/%s' "$here" "$leaf"; else return 1; fi; }
while [ $# -ge 2 ]; do
  name=$1; file=$base/blobs/$1; path=$2; shift 2
  if [ -L "$file" ] || [ ! -f "$file" ]; then file=$(place "$path") || continue; fi
  [ "$(stat -c %s -- "$file")" -le "$limit" ] || continue
  digest "$file"; [ "$sum" = "$name" ] || continue
  printf 'text %s %s
' "$name" "$(base64 -w0 <"$file")"
done
say recollected
"""
)


def stage(layout: HostLayout, contents: Iterable[bytes]) -> Command:
    """Return the command that brings `contents`, at least one, to the host's blobs, each under its digest.

    A blob of the same digest is replaced by the same bytes.
    """
    blobs = {hashlib.sha256(content).hexdigest(): content for content in contents}
    size = sum(map(len, blobs.values()))
    operands = (str(len(blobs)), str(size))
    return script(_STAGE, layout.root, *operands, stdin=archive(blobs), timeout=600, terse=True)


def keep(layout: HostLayout, paths: Iterable[RepoPath], room: int) -> Command:
    """Return the command that copies the files at `paths` to the host's blobs before they are replaced.

    The host refuses if one of them could not be replaced, or there is no room for `room` bytes more.
    """
    lines = "".join(f"{path}\n" for path in (*paths, "/")).encode()
    return script(_KEEP, layout.root, str(room), stdin=lines, timeout=600, terse=True)


def read_kept(completed: Completed, host: HostName) -> Mapping[RepoPath, PlannedFile | None]:
    """Return what was kept of each path, None where there was no file; raise as `read_answer` does."""
    answer = read_answer(completed, host)
    return dict(_kept(line, host) for line in answer.lines)


def recollect(layout: HostLayout, files: Iterable[PlannedFile], *, limit: int) -> Command:
    """Return the command that asks for the bytes of files that are kept or still in place.

    Files longer than `limit` bytes are left out. It changes nothing.
    """
    words = (word for file in files for word in (file.digest.hexadecimal, file.path))
    return script(_RECOLLECT, layout.root, str(limit), *words)


def read_recollected(completed: Completed, host: HostName) -> Mapping[Digest, bytes]:
    """Return what was recollected, by digest; bytes that do not have the digest asked for are left out.

    Raises as `read_answer` does, and `Unreachable` for an answer of another form.
    """
    answer = read_answer(completed, host)
    if answer.word != "recollected":
        raise Unreachable("the host does not answer as expected", detail=f"{host}", reason="connect", host=host)
    found = dict(_recollected(line, host) for line in answer.lines)
    return {digest: content for digest, content in found.items() if Digest.of(content) == digest}


def _recollected(line: str, host: HostName) -> tuple[Digest, bytes]:
    try:
        _, name, body = line.split(" ")
        return Digest.parse(f"sha256:{name}"), b64decode(body, validate=True)
    except (ValueError, InvalidInput) as error:
        detail = f"{host}: bytes of a file"
        raise Unreachable("the host does not answer as expected", detail=detail, reason="connect", host=host) from error


def place(layout: HostLayout, path: RepoPath, digest: Digest, mode: int) -> tuple[str, ...]:
    """Return the words that put the kept bytes of `digest` at `path`; for `host_lock.guarded`."""
    return script(_PLACE, layout.root, path, digest.hexadecimal, f"{mode:o}").argv


def remove(layout: HostLayout, path: RepoPath) -> tuple[str, ...]:
    """Return the words that remove the file at `path`, also when it is gone already; for `host_lock.guarded`."""
    return script(_REMOVE, layout.root, path).argv


def _kept(line: str, host: HostName) -> tuple[RepoPath, PlannedFile | None]:
    word, _, rest = line.partition(" ")
    name, _, rest = rest.partition(" ")
    mode, _, path = rest.partition(" ")
    if word == "absent":
        return RepoPath.parse(path), None
    if word != "kept":
        raise Unreachable("the host does not answer as expected", detail=f"{host}", reason="connect", host=host)
    return RepoPath.parse(path), PlannedFile(RepoPath.parse(path), Digest.parse("sha256:" + name), int(mode, 8))
