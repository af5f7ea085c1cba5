"""What a host remembers of modules, applies and events: commands that write it durably and read it back."""

import hashlib
import io
import re
import tarfile
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import PurePosixPath

from platformctl.errors import ToolError
from platformctl.model.command import Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, HostName, ModuleId
from platformctl.model.plan import OWN_FOLDER
from platformctl.store.chain import digest_of
from platformctl.store.host import NONE, PRELUDE, HostLayout, read_answer, refusal_of, script
from platformctl.store.journal import plan_named

_END = 1024
"""How many bytes at the end of a record hold its last field; the script below has the same number."""
_MOST, _GZIP = 1 << 26, 16
"""Bytes that are unpacked at most; what tells zlib of gzip's header."""
PAGE = 4 << 20
"""Bytes of a chain in one answer: packed and as text they are less than what is kept of an answer."""
_LINE = re.compile(r"names|tar|audit|modules|ends")

# Operands: root, module, size, digest, digest of what is to be replaced.
_WRITE_RECORD = (
    PRELUDE
    + r"""
into "$1"; receive "$3" "$4"
exec 9<modules; flock -w 10 9 || no busy
file=modules/$2.json; now=none
[ ! -L "$file" ] || no unsafe ".platformctl/$file"
if [ -e "$file" ]; then digest "$file"; now=$sum; fi
[ "$now" != "$4" ] || say written
[ "$now" = "$5" ] || no conflict "$now"
replace "$work" "$file"
say written
"""
)

# behind FILE DIGEST LAST: end unless the line of DIGEST may follow the line of LAST. A torn line is ended first.
_BEHIND = r"""
behind() {
  [ ! -L "$1" ] || no unsafe ".platformctl/$1"
  now=none
  if [ -s "$1" ]; then now=$(tail -n 1 -- "$1" | tr -d '\n' | sha256sum); now=${now%% *}; fi
  [ "$now" != "$2" ] || say written
  [ "$now" = "$3" ] || no conflict "$now"
  [ "$now" != none ] || return 0
  [ "$(tail -c 1 -- "$1"; printf .)" = '
.' ] || echo >>"$1" || fail "${1%/*}" 4096
}
"""

# behind_known FILE LINE: whether LINE is the last of a file that is not torn, found without starting a program.
_KNOWN = r"""
behind_known() {
  if [ -L "$1" ] || [ -z "$2" ] || [ ! -s "$1" ]; then return 1; fi
  last=; while IFS= read -r rest; do last=$rest; done <"$1"
  [ -z "$rest" ] && [ "$last" = "$2" ]
}
"""

# Operands: root, size, digest, digest of the last line. Standard input: the line, which the shell keeps in a variable.
_APPEND_AUDIT = (
    PRELUDE
    + _BEHIND
    + r"""
into "$1"; line=$(cat); file=./audit.jsonl
[ "${#line}" -eq "$2" ] || no truncated
exec 9<.; flock -w 10 9 || no busy
behind "$file" "$3" "$4"
set -- "$file"; [ "$now" != none ] || set -- "$file" .
if ! printf '%s\n' "$line" 2>/dev/null >>"$file" || ! sync -- "$@"; then
  [ "$now" != none ] || rm -f -- "$file"
  fail . "${#line}"
fi
say written
"""
)

# Operands: root, hexadecimal digest of the plan, line, its digest, digest of the last line, the last line if it is
# text. A line is short and has nothing secret, so it comes as a word: that arrives whole or not at all, and nothing has
# to be put aside first. The name of a file that was there before is durable already.
_APPEND_JOURNAL = (
    PRELUDE
    + _BEHIND
    + _KNOWN
    + r"""
into "$1"; file=journal/$2
exec 9<journal; flock -w 10 9 || no busy
[ ! -e "journal/settled/$2" ] || no consumed
if behind_known "$file" "$6"; then now=$5; else behind "$file" "$4" "$5"; fi
line=$3; set -- "$file"; [ "$now" != none ] || set -- "$file" journal
if ! printf '%s\n' "$line" 2>/dev/null >>"$file" || ! sync -- "$@"; then
  [ "$now" != none ] || rm -f -- "$file"
  fail journal "${#line}"
fi
say written
"""
)

# Operands: root, hexadecimal digest of the plan.
_SETTLE = (
    PRELUDE
    + r"""
into "$1"
if [ -f "journal/$2" ]; then
  if ! mv -fT -- "journal/$2" "journal/settled/$2" || ! sync -- journal journal/settled; then fail journal 4096; fi
fi
[ -f "journal/settled/$2" ] || no missing "journal $2"
say settled
"""
)

# Operands: root, hexadecimal digest of a plan…
_FIND = (
    PRELUDE
    + r"""
[ -e "$1/.platformctl" ] || [ -L "$1/.platformctl" ] || say found
into "$1"; shift
for plan; do
  if [ -f "journal/$plan" ]; then printf 'open %s\n' "$plan"
  elif [ -f "journal/settled/$plan" ]; then printf 'settled %s\n' "$plan"; fi
done
say found
"""
)

# Operands: root, module… The answer names the files beside what they hold: one that can not be read must not pass for
# one that is not there. Records are compressed, as each has some fifty receipts that differ little. The ends of all
# modules' records are sent too, unless all records were asked for and so hold them already.
_RECALL = (
    PRELUDE
    + r"""
[ -e "$1/.platformctl" ] || [ -L "$1/.platformctl" ] || say recalled
into "$1"; shift
for module; do shift; set -- "$@" "modules/$module.json"; done
set -- "$@" lock.manual journal/*
asked=0
for file; do
  shift
  [ ! -L "$file" ] || no unsafe ".platformctl/$file"
  case $file in journal/*) [ ! -d "$file" ] || continue ;; esac
  [ -e "$file" ] || continue
  set -- "$@" "$file"
  case $file in modules/*) asked=$((asked + 1)) ;; esac
done
if [ $# != 0 ]; then
  printf names; printf ' %s' "$@"; printf '\ntar '; tar -cf - -- "$@" | gzip -1 | base64 -w0; echo
fi
set -- modules/*.json
if [ -e "$1" ]; then
  printf modules; printf ' %s' "$@"; echo
  if [ $# != "$asked" ]; then printf 'ends '; tail -q -c 1024 -- "$@" | base64 -w0; echo; fi
fi
if [ -e audit.jsonl ]; then printf 'audit '; tail -n 2 -- audit.jsonl | base64 -w0; echo; fi
say recalled
"""
)


# root, number of the first byte, how many at most. A chain is told in pages, as no answer is kept beyond a limit.
_READ_AUDIT = (
    PRELUDE
    + r"""
[ -e "$1/.platformctl" ] || [ -L "$1/.platformctl" ] || say whole
into "$1"; file=audit.jsonl
[ ! -L "$file" ] || no unsafe ".platformctl/$file"
[ -e "$file" ] || say whole
size=$(wc -c <"$file") || no unreadable ".platformctl/$file"
printf 'page '; tail -c "+$2" -- "$file" | head -c "$3" | gzip -1 | base64 -w0; echo
[ "$size" -ge $(($2 + $3)) ] || say whole
say more
"""
)


@dataclass(frozen=True)
class Recalled:
    """What a host remembers, as bytes. `records` are those of the modules that were asked about and have one.

    `modules` are all modules it has a record of, and `ends` the last bytes of those records: a host has seen the trust
    roots that any of its modules saw. `journals` are those not settled; `audit_tail` is the end of its audit chain.
    """

    records: Mapping[ModuleId, bytes] = field(default_factory=dict)
    manual_lock: bytes | None = None
    journals: Mapping[Digest, bytes] = field(default_factory=dict)
    audit_tail: bytes = b""
    modules: tuple[ModuleId, ...] = ()
    ends: bytes = b""


def write_record(layout: HostLayout, module: ModuleId, content: bytes, *, replacing: bytes | None) -> Command:
    """Return the command that replaces the host record of `module` by `content`.

    The host refuses unless the record still holds `replacing` (None: there is no record).
    """
    before = NONE if replacing is None else _hexadecimal(replacing)
    operands = (module, str(len(content)), _hexadecimal(content), before)
    return script(_WRITE_RECORD, layout.root, *operands, stdin=content, terse=True)


def append_journal(layout: HostLayout, plan: Digest, line: bytes, *, after: bytes | None) -> Command:
    """Return the command that adds a line to the journal of `plan`, right after the line `after`.

    None for `after` makes it the first line, which consumes the plan. `read_answer` raises `StalePlan` when the journal
    was settled.
    """
    operands = (plan.hexadecimal, line.decode(), digest_of(line).hexadecimal, _digest_of_last(after), _text(after))
    return script(_APPEND_JOURNAL, layout.root, *operands, terse=True)


def append_audit(layout: HostLayout, line: bytes, *, after: bytes | None) -> Command:
    """Return the command that adds a line to the audit chain, right after the line `after` (None: as the first)."""
    operands = (str(len(line)), digest_of(line).hexadecimal, _digest_of_last(after))
    return script(_APPEND_AUDIT, layout.root, *operands, stdin=line, terse=True)


def settle_journal(layout: HostLayout, plan: Digest) -> Command:
    """Return the command that puts the journal of `plan` with the settled ones.

    There it shows for ever that the plan is used.
    """
    return script(_SETTLE, layout.root, plan.hexadecimal, terse=True)


def find_journals(layout: HostLayout, plans: Iterable[Digest]) -> Command:
    """Return the command that asks which of these plans the host has a journal of.

    It changes nothing, also on a host that has no folder of ours.
    """
    return script(_FIND, layout.root, *(plan.hexadecimal for plan in plans))


def read_found(completed: Completed, host: HostName) -> Mapping[Digest, bool]:
    """Return the plans that the host has a journal of, each with whether it was put away.

    Raises what `read_answer` raises.
    """
    words = (line.partition(" ")[::2] for line in read_answer(completed, host).lines)
    return {Digest.parse("sha256:" + plan): word == "settled" for word, plan in words}


def recall(layout: HostLayout, *modules: ModuleId) -> Command:
    """Return the command that asks for all that is remembered of `modules`, in one exchange.

    It changes nothing, also on a host that has no folder of ours.
    """
    return script(_RECALL, layout.root, *modules)


def read_recall(completed: Completed, host: HostName) -> Recalled:
    """Return what the host remembers. Raises `Unreachable` or `ToolError` when that can not be told."""
    answer = read_answer(completed, host)
    lines = dict(line.partition(" ")[::2] for line in answer.lines)
    if answer.word != "recalled" or not all(_LINE.fullmatch(name) for name in lines):
        raise _garbled(host)
    files = _files(lines, host)
    journals = {name.removeprefix("journal/"): body for name, body in files.items() if name.startswith("journal/")}
    records = {name: body for name, body in files.items() if name.startswith("modules/")}
    modules = lines.get("modules", "").split()
    return Recalled(
        records={ModuleId(PurePosixPath(name).stem): body for name, body in records.items()},
        manual_lock=files.get("lock.manual"),
        journals={plan_named(name, f"{host}: {OWN_FOLDER}/journal"): body for name, body in journals.items()},
        audit_tail=_decoded(lines.get("audit", ""), host),
        modules=tuple(ModuleId.parse(PurePosixPath(file).stem) for file in modules),
        ends=_decoded(lines["ends"], host) if "ends" in lines else _ends(records, modules, host),
    )


def read_audit(layout: HostLayout, run: Callable[[Command], Completed], host: HostName) -> bytes:
    """Return the whole audit chain of a host, however long, as it is; empty where it has none. Changes nothing.

    Raises `Unreachable` or `ToolError` when any of it can not be read.
    """
    content = b""
    while True:
        answer = read_answer(run(script(_READ_AUDIT, layout.root, str(len(content) + 1), str(PAGE))), host)
        lines = dict(line.partition(" ")[::2] for line in answer.lines)
        page = _page(lines.get("page", ""), host)
        content += page
        if answer.word == "whole":
            return content
        if answer.word != "more" or len(page) != PAGE:
            raise _garbled(host)


def _digest_of_last(line: bytes | None) -> str:
    return NONE if line is None else digest_of(line).hexadecimal


def _text(line: bytes | None) -> str:
    """Return a line as a word of a command, empty if it can not be one."""
    try:
        return "" if line is None or b"\0" in line else line.decode()
    except UnicodeDecodeError:
        return ""


def _page(text: str, host: HostName) -> bytes:
    try:
        return _unpacked(_decoded(text, host)) if text else b""
    except (ValueError, zlib.error):
        raise _garbled(host) from None


def _hexadecimal(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files(lines: Mapping[str, str], host: HostName) -> Mapping[str, bytes]:
    """Return files by name; raise `Unreachable` when one is there and could not be read."""
    names, content = lines.get("names", "").split(), _decoded(lines.get("tar", ""), host)
    if not names:
        return {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(content)), mode="r:") as archive:
            found = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
            files = {name: stream.read() for name, stream in found.items() if stream is not None}
    except (tarfile.TarError, OSError, ValueError, zlib.error):
        raise _garbled(host) from None
    missing = next((name for name in names if name not in files), None)
    if missing is not None:
        raise refusal_of("unreadable", f"{OWN_FOLDER}/{missing}", host)
    return files


def _unpacked(content: bytes) -> bytes:
    """Return what gzip packed.

    Raises `ValueError` for what is cut short or becomes more than `_MOST` bytes, `zlib.error` for all else.
    """
    stream = zlib.decompressobj(zlib.MAX_WBITS | _GZIP)
    unpacked = stream.decompress(content, _MOST)
    if not stream.eof:
        raise ValueError("it is not whole, or too much")
    return unpacked


def _ends(records: Mapping[str, bytes], modules: Sequence[str], host: HostName) -> bytes:
    """Return the ends of all records, from records that the host sent whole."""
    if not records.keys() >= set(modules):
        raise _garbled(host)
    return b"".join(records[file][-_END:] for file in modules)


def _decoded(text: str, host: HostName) -> bytes:
    try:
        return b64decode(text, validate=True)
    except NotBase64:
        raise _garbled(host) from None


def _garbled(host: HostName) -> ToolError:
    return ToolError("what the host remembers can not be read", detail=f"{host}", hint=f"platformctl doctor {host}")
