"""Whether a host's login lets words, input and output through as they are: what all other questions rest on.

A login shell's start-up files, another shell, a forced command or few programs make each answer odd in a way of its
own. So it is asked what gives no other answer on any good host, first in words that every shell understands. Nothing
that is asked here tells of a release (ADR 0041).
"""

import secrets

from platformctl.errors import OutcomeUnknown, Unreachable
from platformctl.model.command import Command
from platformctl.model.frozen import dataclass
from platformctl.model.reports import Check
from platformctl.transports.interface import Transport

NEEDED = (
    *("base64", "cat", "chmod", "cp", "date", "df", "env", "head", "id", "ln", "mkdir", "mktemp", "mv", "realpath"),
    *("rm", "sha256sum", "sort", "stat", "sync", "tail", "timeout", "tr", "wc"),
    *("find", "flock", "grep", "gzip", "sed", "tar"),
)
"""The programs that an apply needs on a host, beside docker: those of coreutils, and of six more packages."""

_ODD = 'it\'s \\\\ one \\n\tword\nof "two" lines $HOME `!`'
"""One word to a POSIX shell when it is quoted as transports quote; other shells make something else of it."""

# Operands: a word, and names of programs. Prints the word, whether there is a home, the programs that are not there,
# and its input behind the first four bytes. The `head` of busybox takes more of it than it is told.
_ASKED = """
printf '%s\\n%s\\n' "$1" "${HOME:+home}"; shift
for name do command -v "$name" >/dev/null || printf '%s ' "$name"; done
echo; head -c 4 >/dev/null; cat
"""
_TIME = 10.0


@dataclass(frozen=True)
class _Fault:
    """What is in the way, and what to do about it."""

    found: str
    hint: str


_QUIET = "let the start-up files of the agent's shell print nothing, read nothing and leave nothing behind"
_SHELL = "as root there: `usermod -s /bin/sh {user}`"
_FORCED = f"{_SHELL}; and take away ForceCommand in sshd_config and command= in authorized_keys"


def look_at_login(transport: Transport) -> Check:
    """Return whether commands get through the host's login, and two at once, as an apply needs them.

    Raises what `Transport.run` raises where there is no session at all.
    """
    entry = transport.entry
    fault = _of_output(transport) or _of_input(transport) or _of_words(transport) or _of_two_at_once(transport)
    if fault is None:
        return Check(entry.name, "login", "ok", "commands, their input and their output pass as they are")
    return Check(entry.name, "login", "fail", fault.found, fault.hint.format(user=entry.user))


def _of_output(transport: Transport) -> _Fault | None:
    word = secrets.token_hex(8)
    said = transport.run(Command(("echo", word), timeout=_TIME))
    expected = f"{word}\n".encode()
    if said.truncated:
        return _Fault("the login starts a program that stays and keeps the output of every command open", _QUIET)
    if said.stdout == expected:
        return None
    if said.stdout.endswith(expected):
        return _Fault("the login prints something before the output of each command", _QUIET)
    return _Fault(f"the login does not run what it is told: `echo` ended with status {said.status}", _FORCED)


def _of_input(transport: Transport) -> _Fault | None:
    word = secrets.token_bytes(8)
    handed = transport.run(Command(("cat",), word, timeout=_TIME))
    return None if handed.stdout == word else _Fault("the login reads the input that is for a command", _QUIET)


def _of_words(transport: Transport) -> _Fault | None:
    """What the shell makes of a script of ours."""
    asked = Command(("sh", "-c", _ASKED, "platformctl", _ODD, *NEEDED), f"head{_ODD}".encode(), timeout=_TIME)
    text = transport.run(asked).text
    if not text.startswith(f"{_ODD}\n"):
        return _Fault("the login shell is not a POSIX one: it changes the words of a command", _SHELL)
    home, missing, handed = text.removeprefix(f"{_ODD}\n").split("\n", 2)
    if missing:
        return _Fault(f"programs are not there, or not in its PATH: {missing.strip()}", "install them, or mend PATH")
    if handed != _ODD:
        found = "`head` takes more input than it is told to, as that of busybox does"
        return _Fault(found, f"{_SHELL}, and install coreutils")
    return (
        None
        if home
        else _Fault("the login sets no HOME", "let it set HOME: docker looks for the agent's settings there")
    )


def _of_two_at_once(transport: Transport) -> _Fault | None:
    """The holder of the lock runs while other commands do."""
    holder = transport.hold(Command(("cat",), timeout=_TIME))
    try:
        ended = transport.run(Command(("true",), timeout=_TIME))
        refused = "" if holder.beat() and not ended.status else ": one of two ended early"
    except Unreachable as refusal:
        if isinstance(refusal.__cause__, OutcomeUnknown):
            raise
        refused = f": {refusal.detail}"
    finally:
        holder.release()
    if not refused:
        return None
    hint = "let MaxSessions in the host's sshd_config be 2 or more, and reload sshd"
    return _Fault(f"the host does not run two commands at once, as an apply needs it{refused}", hint)
