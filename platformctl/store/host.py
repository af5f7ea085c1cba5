"""Where a host keeps what it remembers, the shell functions its scripts share, and how their answers are read.

Each script is POSIX sh with coreutils and util-linux; its data comes in "$1"… and on standard input, never in its text.
It answers with lines of a word and its operands, the last of which is the verdict, and exits 0 only when it did what it
was asked. A disk that is full or read-only is recognised by trying, not by the text of another program's complaint.
"""

from platformctl.errors import Locked, Refusal, StalePlan, ToolError, Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, HostName
from platformctl.model.plan import OWN_FOLDER

NONE = "none"
"""Stands for the digest of a file or line that is not there."""

# say VERDICT: it was done. no VERDICT: it was not. why FOLDER BYTES: set `word` to what keeps them from being written.
# into ROOT: go to its .platformctl. aside: "$work" is where this script may put something meanwhile, and nothing is
# there. gone: nor any more. receive SIZE DIGEST: standard input goes there, whole. digest FILE: its digest to `sum`.
# reach PATH make|look: go to the folder of a path below "$root" without following a link; a folder that is swapped
# meanwhile shows in PWD, which `cd -P` sets to where it came to.
#
# What is renamed is done when the folder's disk confirmed it: else a quarantine or a token could be gone after a loss
# of power that somebody was told of.
#
# Each program that is started costs a host about a millisecond, and a subshell a quarter of that; an apply runs some
# fifteen scripts. So no program is started for what the shell can tell by itself. dash, busybox, ksh and bash know
# `-O`; a shell that does not refuses.
PRELUDE = r"""
set -u; umask 077; LC_ALL=C; export LC_ALL; work=
trap 'gone' EXIT
trap 'exit 74' HUP INT TERM
gone() { if [ -n "$work" ] && { [ -e "$work" ] || [ -L "$work" ]; }; then rm -rf "$work"; fi; }
say() { printf '%s\n' "$*"; exit 0; }
no() { printf '%s\n' "$*"; exit 71; }
digest() { sum=$(sha256sum <"$1"); sum=${sum%% *}; }
why() {
  probe=$1/.probe.$$
  if ( : >"$probe" ) 2>/dev/null; then
    if head -c "$2" /dev/zero 2>/dev/null >"$probe"; then word='failed'; else word='full'; fi
    rm -f "$probe"
  elif [ -w "$1" ]; then word='full'
  elif findmnt -nr -o OPTIONS -T "$1" | grep -qE '(^|,)ro(,|$)'; then word='readonly'
  else word='denied'; fi
}
fail() { why "$1" "$2"; no "$word" "$1"; }
into() {
  if [ -L "$1/.platformctl" ] || ! cd -P -- "$1/.platformctl" 2>/dev/null; then no unsafe .platformctl; fi
  [ -O . ] || no unsafe .platformctl
  root=$1; base=$PWD
}
aside() {
  work=$base/tmp/$$; gone
}
receive() {
  aside
  (set -C; cat >"$work") 2>/dev/null || fail "$base/tmp" "$1"
  digest "$work"
  [ "$sum" = "$2" ] || no truncated
}
replace() {
  if ! sync -- "$1" || ! mv -fT -- "$1" "$2" || ! sync -- "${2%/*}"; then fail "${2%/*}" 4096; fi
}
reach() {
  cd -P -- "$root" || no unsafe "$root"
  here=$PWD; leaf=$1
  while [ "$leaf" != "${leaf#*/}" ]; do
    part=${leaf%%/*}; leaf=${leaf#*/}
    [ ! -L "./$part" ] || no unsafe "$1"
    if [ ! -e "./$part" ]; then
      [ "$2" = make ] || return 1
      if ! (umask 022; mkdir -- "./$part") 2>/dev/null || ! sync -- .; then fail . 4096; fi
    fi
    cd -P -- "./$part" 2>/dev/null || no unsafe "$1"
    here=${here%/}/$part
    [ "$PWD" = "$here" ] || no unsafe "$1"
  done
  [ ! -L "./$leaf" ] || no unsafe "$1"
}
"""

RUN = r"""
inside() { text=$3; shift 3; [ $# = 0 ] || shift; set +u; eval "$text"; }
run() { if [ "$1" = sh ] && [ "${2-}" = -c ] && [ $# -gt 2 ]; then (inside "$@"); else "$@"; fi; }
"""
"""`run` runs words, a text for sh in a subshell: it is run as another sh would, which takes a host twice as long."""

PREPARE = r"""
[ -d "$1" ] || no absent "$1"
made=
[ ! -L "$1/.platformctl" ] || no unsafe .platformctl
if [ ! -e "$1/.platformctl" ]; then
  if ! mkdir -- "$1/.platformctl" 2>/dev/null || ! sync -- "$1"; then fail "$1" 4096; fi
fi
into "$1"
chmod 700 . || fail . 4096
for folder in modules journal journal/settled blobs tmp; do
  [ ! -L "$folder" ] || no unsafe ".platformctl/$folder"
  if [ ! -d "$folder" ]; then mkdir -- "$folder" 2>/dev/null || fail . 4096; made=1; fi
done
[ ! -L key ] || no unsafe .platformctl/key
find tmp -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} +
if [ ! -e key ]; then
  head -c 32 /dev/urandom 2>/dev/null >"tmp/key.$$" || fail tmp 4096
  if ! sync -- "tmp/key.$$" || ! { ln -- "tmp/key.$$" key || [ -e key ]; }; then fail . 4096; fi
  rm -f "tmp/key.$$"; made=1
fi
[ -z "$made" ] || sync -- . journal || fail . 4096
"""
"""Makes the tool's own folder below "$1", or leaves it as it is, and changes into it."""

_PROBE = r"""
[ -d "$1" ] || no absent "$1"
at=$1; if [ -e "$1/.platformctl" ] || [ -L "$1/.platformctl" ]; then into "$1"; at=$base; fi
work=$at/.probe.$$; why "$at" 65536
[ "$word" = failed ] || no "$word" "$at"
[ -w "$1" ] && say writable
say within
"""


@dataclass(frozen=True)
class HostLayout:
    """The paths below a host's `root`, which is absolute."""

    root: str

    @property
    def base(self) -> str:
        """The tool's own folder, of mode 0700."""
        return f"{self.root}/{OWN_FOLDER}"

    @property
    def key(self) -> str:
        """32 random bytes made on the host and never sent: fingerprints of environment values are keyed with it."""
        return f"{self.base}/key"

    def blob(self, digest: Digest) -> str:
        """Return where bytes are kept by digest: delivered files, what they replaced, and plans that were applied."""
        return f"{self.base}/blobs/{digest.hexadecimal}"

    @property
    def audit(self) -> str:
        """The host's audit chain."""
        return f"{self.base}/audit.jsonl"


@dataclass(frozen=True)
class Answer:
    """What a script said when it did its work: the verdict, its operands, and the lines before it."""

    word: str
    operands: tuple[str, ...]
    lines: tuple[str, ...]


def script(
    text: str,
    *arguments: str,
    stdin: bytes = b"",
    timeout: float = 120.0,
    terse: bool = False,
    mutates: bool = False,
) -> Command:
    """Return the command that runs `text` with sh, with `arguments` as "$1"…"""
    return Command(("sh", "-c", text, "platformctl", *arguments), stdin, timeout, terse, mutates)


def prepare_base(layout: HostLayout) -> Command:
    """Return the command that makes the tool's own folder, or leaves it as it is.

    The host refuses when the folder is a link or another user's.
    """
    return script(f"{PRELUDE}{PREPARE}say ready\n", layout.root)


def probe(layout: HostLayout) -> Command:
    """Return the command that tries to write where an apply writes first, and takes that away again.

    The verdict is `writable`, or `within` if only the tool's own folder can be written. The host refuses as it would an
    apply.
    """
    return script(f"{PRELUDE}{_PROBE}", layout.root, timeout=20)


def read_answer(completed: Completed, host: HostName) -> Answer:
    """Return what a script did; raise `Unreachable`, `ToolError`, `Locked` or `StalePlan` when it could not."""
    lines = completed.text.removesuffix("\n").split("\n")
    words = lines[-1].split(" ")
    if completed.status == 0 and not completed.truncated:
        return Answer(words[0], tuple(words[1:]), tuple(lines[:-1]))
    raise refusal_of(words[0], " ".join(words[1:]), host)


def refusal_of(word: str, what: str, host: HostName) -> Refusal:
    """Return the refusal for a script's verdict that it could not do its work; `what` are its operands."""
    if word in _FAULTS:
        summary, reason, hint = _FAULTS[word]
        return Unreachable(summary, detail=f"{host}: {what or word}", hint=hint, reason=reason, host=host)
    if word in _DAMAGE:
        hint = f"platformctl doctor {host}"
        return ToolError(_DAMAGE[word], detail=f"{host}: {what or word}", hint=hint, reason=word, host=host)
    if word == "lost":
        hint = "run it again: nothing was touched"
        return Locked("the lock is no longer ours", detail=f"{host}", hint=hint, reason="held", host=host)
    if word == "consumed":
        return StalePlan("the plan was used already", detail=f"{host}", hint="plan again", reason="used", host=host)
    return Unreachable(
        "the host does not answer as expected",
        detail=f"{host}: its answer is none of ours",
        hint=f"platformctl doctor {host}",
        reason="connect",
        host=host,
    )


_FAULTS = {
    "full": ("the host's disk is full", "disk_full", "free some space or some inodes there"),
    "readonly": ("the host's root can not be written", "root_readonly", "mount it for writing"),
    "denied": ("the host's root can not be written", "root_readonly", "give it to the agent user"),
    "unreadable": ("a file on the host can not be read", "connect", "run it again; else give it to the agent user"),
    "absent": (
        "the host's root is not there",
        "root_readonly",
        "make it, with the script of `platformctl host prepare`",
    ),
    "truncated": ("what was sent did not arrive whole", "connect", "run it again"),
    "busy": ("the host is slow to write", "connect", "run it again"),
}
_DAMAGE = {
    "unsafe": "a path on the host is a link, or not the agent's",
    "missing": "something is not there on the host",
    "damaged": "something on the host is not what its digest says",
    "conflict": "somebody else wrote on the host meanwhile",
    "failed": "the host could not write",
}
