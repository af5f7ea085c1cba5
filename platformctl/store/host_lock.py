"""One apply at a time on a host, even when a client dies, sleeps or comes back.

A holder process on the host has the kernel's lock and ends when its client no longer feeds it. Each holder gets a
greater token. A mutating command runs guarded: alone (`step.lock`), only while its token is the newest and somebody
holds the lock, and bounded in time. A new holder says `held` only after raising the token and waiting for the step that
may still run: from then on no step of its predecessor runs or can begin.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import replace

from platformctl.errors import Locked, Refusal
from platformctl.model.command import EMPTIED, Command, Completed
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName
from platformctl.store.host import PRELUDE, PREPARE, RUN, HostLayout, read_answer, refusal_of, script
from platformctl.store.owner import Owner, locked, owner_text, parse_owner

LEASE = 20.0
"""Seconds that a holder lives without a byte from its client."""
KILL_AFTER = 10
"""Seconds between asking a command to end and killing it."""
STEP_WAIT = 5
"""Seconds that a new holder waits for its predecessor's step, and a step for the one before it."""

# busy: end, naming the owner of the lock. A lock by hand is named before the last holder: whoever makes one has the
# kernel's lock too, for a moment.
_BUSY = r"""
busy() {
  word='by-hand'; owner=lock.manual; [ -e "$owner" ] || { word='busy'; owner=lock.owner; }
  printf '%s %s\n' "$word" "$(exec 9>&-; base64 -w0 <"$owner" 2>/dev/null)"; exit 75
}
"""

# Operands: root, owner as JSON, lease, seconds to wait for a running step. File descriptor 9 is the lock: what the
# shell starts must not inherit it, or the lock would outlive the shell. The short wait for it is there because a guard
# takes the lock for a moment to look at it.
_HOLD = (
    PRELUDE
    + PREPARE
    + _BUSY
    + r"""
[ ! -L lock ] || no unsafe .platformctl/lock
exec 9>>lock
flock -w 0.2 9 || busy
[ ! -e lock.manual ] || busy
last=0; [ ! -e lock.token ] || IFS= read -r last <lock.token || :
case $last in '' | *[!0-9]*) no damaged .platformctl/lock.token ;; esac
token=$((last + 1))
if ! printf '%s' "$token" >tmp/lock.token || ! printf '%s' "$2" >tmp/lock.owner; then fail tmp 4096; fi
{ sync -- tmp/lock.owner tmp/lock.token && mv -f -t . -- tmp/lock.owner tmp/lock.token && sync -- .; } 9>&- ||
  fail . 4096
exec 8>>step.lock
flock -w "$4" 8 9>&- || { echo running; exit 75; }
exec 8>&-
printf 'held %s\n' "$token"
while [ "$(exec 9>&-; timeout "$3" head -c 1 | wc -c)" -eq 1 ]; do :; done
"""
)

# ours TOKEN: whether it is the newest and somebody holds the lock. A lock by hand exists only if there was no holder:
# then a process that has the lock for a moment, to look at it or to lock by hand, must not pass for a holder.
_OURS = r"""
ours() {
  if [ -L lock ] || [ ! -e lock ] || [ -e lock.manual ]; then return 1; fi
  newest=; [ ! -e lock.token ] || IFS= read -r newest <lock.token || :
  [ "$newest" = "$1" ] || return 1
  exec 9<>lock
  if flock -n 9; then exec 9>&-; return 1; fi
  exec 9>&-
}
"""

# Operands: root, token.
_STILL = (
    PRELUDE
    + _OURS
    + r"""
into "$1"
ours "$2" || no lost
say ours
"""
)

# Operands: root, token, nonce, seconds to wait for a running step, seconds until it is ended, seconds until it is
# killed, words. The inner shell marks how the words ended. It survives the SIGTERM that `timeout` sends to it and to
# them, since `timeout` kills nobody once its own child is gone. SIGKILL ends it too, and so does a SIGTERM that comes
# before its trap is set; then the outer shell marks that.
_GUARD = (
    PRELUDE
    + _OURS
    + r"""
into "$1"; token=$2; nonce=$3; wait=$4; limit=$5; patience=$6; shift 6
mark() { printf '\nplatformctl-step %s %s\n' "$nonce" "$*" >&2; }
[ ! -L step.lock ] || no unsafe .platformctl/step.lock
exec 8>>step.lock
flock -w "$wait" 8 || { mark busy; exit 75; }
ours "$token" || { mark fenced; exit 75; }
cd -P -- "$root" || no unsafe "$root"
umask 022
mark began
"""
    + EMPTIED
    + r""" timeout -k "$patience" "$limit" sh -c '"""
    + RUN
    + r"""nonce=$1; shift
mark() { printf "\nplatformctl-step %s %s\n" "$nonce" "$*" >&2; }
trap "mark overdue" TERM
run "$@" </dev/null
status=$?
mark ended "$status"
exit "$status"
' platformctl "$nonce" "$@"
status=$?
case $status in 124 | 137) mark killed ;; esac
exit "$status"
"""
)

# Operands: root, owner as JSON, seconds to wait for a running step of a client whose holder is gone; after it, none
# begins. If nobody can be told of the lock, it is taken back. Only a process that has the kernel's lock makes the file,
# so that the file is ours to remove.
_LOCK = (
    PRELUDE
    + _BUSY
    + r"""
into "$1"
[ ! -L lock ] || no unsafe .platformctl/lock
exec 9>>lock 8>>step.lock
flock -w 0.2 9 || busy
aside
printf '%s' "$2" >"$work" || fail tmp 4096
sync -- "$work" || fail tmp 4096
[ ! -e lock.manual ] || busy
trap 'rm -f lock.manual; exit 74' HUP INT TERM
ln -- "$work" lock.manual 2>/dev/null || busy
flock -w "$3" 8 || { rm -f lock.manual; echo running; exit 75; }
[ -e lock.manual ] || no lost
sync -- . || { rm -f lock.manual; fail . 4096; }
trap '' PIPE
printf 'locked\n' || { rm -f lock.manual; exit 74; }
"""
)

# Operands: root.
_LOOK_AT_LOCK = (
    PRELUDE
    + r"""
[ -e "$1/.platformctl/lock" ] || [ -e "$1/.platformctl/lock.manual" ] || say free
into "$1"
owner=lock.manual
if [ ! -e "$owner" ]; then
  owner=lock.owner; exec 9<lock
  ! flock -n 9 || say free
fi
say held "$(base64 -w0 <"$owner" 2>/dev/null)"
"""
)

# Operands: root.
_UNLOCK = (
    PRELUDE
    + r"""
into "$1"
[ -e lock.manual ] || say free
if ! rm -f -- lock.manual || ! sync -- .; then fail . 4096; fi
say unlocked
"""
)


@dataclass(frozen=True)
class Ran:
    """The command ran to its own end, with this status."""

    completed: Completed


@dataclass(frozen=True)
class Fenced:
    """The command did not run: the lock is no longer ours."""


@dataclass(frozen=True)
class Busy:
    """The command did not run: another step still does."""


@dataclass(frozen=True)
class TimedOut:
    """The command was ended because its time was over; what it did is not known."""

    completed: Completed


@dataclass(frozen=True)
class Lost:
    """The end of the command was not seen; whether and how far it ran is not known."""

    completed: Completed


Guarded = Ran | Fenced | Busy | TimedOut | Lost


def hold_lock(layout: HostLayout, owner: Owner, *, lease: float = LEASE, step_wait: int = STEP_WAIT) -> Command:
    """Return the command of a holder, which lives while it is fed a byte within each `lease` seconds.

    It makes the tool's own folder if there is none. `read_hold` reads its line.
    """
    return script(_HOLD, layout.root, owner_text(owner).decode(), str(lease), str(step_wait))


def read_hold(line: str, host: HostName) -> int:
    """Return the token of the lock that is now held; raise `Locked`, or `Unreachable` when that can not be told."""
    word, _, operand = line.partition(" ")
    if word == "held" and operand.isascii() and operand.isdigit():
        return int(operand)
    raise _not_held(word, operand, host)


def still_held(layout: HostLayout, token: int) -> Command:
    """Return the command that asks whether `token` still has the lock; `read_answer` raises `Locked` if not.

    It goes in one exchange before what may be done only while the lock is ours.
    """
    return script(_STILL, layout.root, str(token), terse=True)


def guarded(
    layout: HostLayout,
    token: int,
    argv: tuple[str, ...],
    *,
    nonce: str,
    limit: int,
    step_wait: int = STEP_WAIT,
    kill_after: int = KILL_AFTER,
    terse: bool = False,
) -> Command:
    """Return the command that runs `argv` in the root folder, only while `token` holds the lock, for `limit` seconds.

    `nonce` is a fresh random word: the marks that `read_guarded` reads carry it, and `argv` can not know it. `terse` is
    for an `argv` that is one of our own scripts.
    """
    numbers = (str(token), nonce, str(step_wait), str(limit), str(kill_after))
    timeout = limit + kill_after + step_wait + 15
    return script(_GUARD, layout.root, *numbers, *argv, timeout=timeout, terse=terse, mutates=True)


def read_guarded(completed: Completed, nonce: str) -> Guarded:
    """Return how a guarded command ended; its own output is in `completed`, without our marks."""
    marks = _marks(completed.stderr, nonce)
    own = replace(completed, stderr=_without_marks(completed.stderr, nonce))
    if marks[:1] in (["busy"], ["fenced"]):
        return Busy() if marks[0] == "busy" else Fenced()
    ended = next((int(mark.removeprefix("ended ")) for mark in marks if mark.startswith("ended ")), None)
    if "overdue" in marks or ("killed" in marks and ended is None):
        return TimedOut(own)
    if ended is not None:
        return Ran(replace(own, status=ended))
    return Ran(own) if marks and completed.truncated and completed.status not in (124, 137) else Lost(own)


def lock_by_hand(layout: HostLayout, owner: Owner, *, step_wait: int = STEP_WAIT) -> Command:
    """Return the command that locks the host until `unlock`, whatever happens to this process.

    It is refused while somebody applies.
    """
    return script(_LOCK, layout.root, owner_text(owner).decode(), str(step_wait), mutates=True)


def look_at_lock(layout: HostLayout) -> Command:
    """Return the command that asks who has the host's lock; it keeps nobody from taking it meanwhile."""
    return script(_LOOK_AT_LOCK, layout.root)


def read_lock_look(completed: Completed, host: HostName) -> str | None:
    """Return who holds the lock, in words, None when nobody does; raises what `read_answer` raises."""
    answer = read_answer(completed, host)
    if answer.word == "held":
        return str(_owner("".join(answer.operands)) or "held by somebody who left no name")
    return None


def unlock(layout: HostLayout) -> Command:
    """Return the command that takes away a lock made by hand; the lock of a running apply is not touched."""
    return script(_UNLOCK, layout.root, mutates=True)


def read_lock(completed: Completed, host: HostName) -> bool:
    """Return whether `lock_by_hand` or `unlock` changed something.

    Raises `Locked` with the holder's name, and what `refusal_of` returns when the script could not do its work.
    """
    word, _, operand = completed.text.rstrip("\n").rpartition("\n")[2].partition(" ")
    if completed.status == 0 and word in ("locked", "unlocked", "free"):
        return word != "free"
    raise _not_held(word, operand, host)


def _not_held(word: str, operand: str, host: HostName) -> Refusal:
    if word in ("busy", "by-hand"):
        return locked(_owner(operand), host, by_hand=word == "by-hand")
    if word == "running":
        hint = "wait until it is over, then run it again"
        return Locked("a step of an earlier apply still runs", detail=host, hint=hint, reason="held", host=host)
    return refusal_of(word, operand, host)


def _owner(text: str) -> Owner | None:
    try:
        return parse_owner(b64decode(text, validate=True))
    except NotBase64:
        return None


def _marks(stderr: bytes, nonce: str) -> list[str]:
    lines = stderr.decode("utf-8", "replace").split("\n")
    start = f"platformctl-step {nonce} "
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


def _without_marks(stderr: bytes, nonce: str) -> bytes:
    start = f"platformctl-step {nonce} ".encode()
    return b"\n".join(line for line in stderr.split(b"\n") if not line.startswith(start)).strip(b"\n")
