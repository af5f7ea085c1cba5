"""What a host remembers of modules, applies and events: commands that write it durably and read it back."""

import hashlib
import io
import re
import tarfile
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from platformctl.errors import ToolError
from platformctl.model.command import Command, Completed
from platformctl.model.names import Digest, HostName, ModuleId
from platformctl.store.chain import digest_of
from platformctl.store.host import NONE, OWN_FOLDER, PRELUDE, HostLayout, read_answer, refusal_of, script

_LINE = re.compile(r"names|tar|audit|ends/[0-9]{1,6}")

# root, module, size, digest, digest of what is to be replaced
_WRITE_RECORD = (
    PRELUDE
    + r"""
into "$1"; receive "$3" "$4"
exec 9<modules; flock -w 10 9 || no busy
file=modules/$2.json; now=none
[ ! -L "$file" ] || no unsafe ".platformctl/$file"
[ ! -e "$file" ] || now=$(digest "$file")
[ "$now" != "$4" ] || say written
[ "$now" = "$5" ] || no conflict "$now"
replace "$work/in" "$file"
say written
"""
)

# root, file, size, digest, digest of the last line, a file that must not be there
_APPEND = (
    PRELUDE
    + r"""
into "$1"; receive "$3" "$4"; file=$2; folder=.; now=none
case $file in */*) folder=${file%/*} ;; esac
exec 9<"$folder"; flock -w 10 9 || no busy
[ -z "$6" ] || [ ! -e "$6" ] || no consumed
[ ! -L "$file" ] || no unsafe ".platformctl/$file"
[ ! -s "$file" ] || now=$(tail -n 1 -- "$file" | tr -d '\n' | sha256sum | cut -c1-64)
[ "$now" != "$4" ] || say written
[ "$now" = "$5" ] || no conflict "$now"
echo >>"$work/in" || fail "$base/tmp" 4096
if [ "$now" != none ] && [ -n "$(tail -c 1 -- "$file")" ]; then echo >>"$file" || fail "$folder" 4096; fi
if ! cat -- "$work/in" 2>/dev/null >>"$file" || ! sync -- "$file" "$folder"; then
  [ "$now" != none ] || rm -f -- "$file"
  fail "$folder" "$3"
fi
say written
"""
)

# root, hexadecimal digest of the plan
_SETTLE = (
    PRELUDE
    + r"""
into "$1"
if [ -f "journal/$2" ]; then
  mv -fT -- "journal/$2" "journal/settled/$2" || fail journal 4096
  show journal journal/settled
fi
[ -f "journal/settled/$2" ] || no missing "journal $2"
say settled
"""
)

# root, module… Which files there are is told beside what they hold: one that can not be read must not pass for none.
_RECALL = (
    PRELUDE
    + r"""
[ -e "$1/.platformctl" ] || [ -L "$1/.platformctl" ] || say recalled
into "$1"; shift
for module; do shift; set -- "$@" "modules/$module.json"; done
set -- "$@" lock.manual journal/*
for file; do
  shift
  [ ! -L "$file" ] || no unsafe ".platformctl/$file"
  case $file in journal/*) [ ! -d "$file" ] || continue ;; esac
  [ ! -e "$file" ] || set -- "$@" "$file"
done
if [ $# != 0 ]; then printf names; printf ' %s' "$@"; printf '\ntar '; tar -cf - -- "$@" | base64 -w0; echo; fi
set -- modules/*.json
if [ -e "$1" ]; then printf 'ends/%s ' "$#"; tail -q -c 1024 -- "$@" | base64 -w0; echo; fi
if [ -e audit.jsonl ]; then printf 'audit '; tail -n 2 -- audit.jsonl | base64 -w0; echo; fi
say recalled
"""
)


@dataclass(frozen=True)
class Recalled:
    """What a host remembers, as bytes. `records` are those of the modules that were asked about and have one.

    `journals` are those not settled; `audit_tail` is the end of its audit chain. `ends` are the last bytes of all its
    records, `ends_of` so many: a host has seen the trust roots that any of its modules saw.
    """

    records: Mapping[ModuleId, bytes] = field(default_factory=dict)
    manual_lock: bytes | None = None
    journals: Mapping[Digest, bytes] = field(default_factory=dict)
    audit_tail: bytes = b""
    ends_of: int = 0
    ends: bytes = b""


def write_record(layout: HostLayout, module: ModuleId, content: bytes, *, replacing: bytes | None) -> Command:
    """Make the host record of `module` hold `content`, only while it holds `replacing` (None: nothing)."""
    before = NONE if replacing is None else _hexadecimal(replacing)
    return script(_WRITE_RECORD, layout.root, module, str(len(content)), _hexadecimal(content), before, stdin=content)


def append_journal(layout: HostLayout, plan: Digest, line: bytes, *, after: bytes | None) -> Command:
    """Add a line to the journal of `plan`, only behind the line `after`; None: the first, which consumes the plan.

    Refused with `StalePlan` when the journal was settled.
    """
    name = plan.hexadecimal
    return _append(layout, f"journal/{name}", line, after, f"journal/settled/{name}")


def append_audit(layout: HostLayout, line: bytes, *, after: bytes | None) -> Command:
    """Add a line to the audit chain, only behind the line `after` (None: the first line)."""
    return _append(layout, "audit.jsonl", line, after, "")


def settle_journal(layout: HostLayout, plan: Digest) -> Command:
    """Put the journal of `plan` with the settled ones, where it shows for ever that the plan is used."""
    return script(_SETTLE, layout.root, plan.hexadecimal)


def recall(layout: HostLayout, *modules: ModuleId) -> Command:
    """Ask for all that is remembered of `modules`, in one exchange. Changes nothing, also where there is nothing."""
    return script(_RECALL, layout.root, *modules)


def read_recall(completed: Completed, host: HostName) -> Recalled:
    """Return what the host remembers; raises `Unreachable` or `ToolError` when that can not be told."""
    answer = read_answer(completed, host)
    lines = dict(line.partition(" ")[::2] for line in answer.lines)
    if answer.word != "recalled" or not all(_LINE.fullmatch(name) for name in lines):
        raise _garbled(host)
    files = _files(lines, host)
    journals = {name.removeprefix("journal/"): body for name, body in files.items() if name.startswith("journal/")}
    records = {name: body for name, body in files.items() if name.startswith("modules/")}
    ends_of, ends = next(((name[5:], body) for name, body in lines.items() if name.startswith("ends/")), ("0", ""))
    return Recalled(
        records={ModuleId(PurePosixPath(name).stem): body for name, body in records.items()},
        manual_lock=files.get("lock.manual"),
        journals={Digest.parse("sha256:" + name): body for name, body in journals.items()},
        audit_tail=_decoded(lines.get("audit", ""), host),
        ends_of=int(ends_of),
        ends=_decoded(ends, host),
    )


def read_audit(layout: HostLayout) -> Command:
    """Ask for the whole audit chain, as it is."""
    return Command(("cat", "--", layout.audit))


def _append(layout: HostLayout, file: str, line: bytes, after: bytes | None, absent: str) -> Command:
    before = NONE if after is None else digest_of(after).hexadecimal
    size, digest = str(len(line)), digest_of(line).hexadecimal
    return script(_APPEND, layout.root, file, size, digest, before, absent, stdin=line)


def _hexadecimal(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files(lines: Mapping[str, str], host: HostName) -> Mapping[str, bytes]:
    """Files by name; raises `Unreachable` when one is there and could not be read."""
    names, content = lines.get("names", "").split(), _decoded(lines.get("tar", ""), host)
    if not names:
        return {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            found = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
            files = {name: stream.read() for name, stream in found.items() if stream is not None}
    except (tarfile.TarError, OSError, ValueError):
        raise _garbled(host) from None
    missing = next((name for name in names if name not in files), None)
    if missing is not None:
        raise refusal_of("denied", f"{OWN_FOLDER}/{missing}", host)
    return files


def _decoded(text: str, host: HostName) -> bytes:
    try:
        return b64decode(text, validate=True)
    except NotBase64:
        raise _garbled(host) from None


def _garbled(host: HostName) -> ToolError:
    return ToolError("what the host remembers can not be read", detail=f"{host}", hint=f"platformctl doctor {host}")
