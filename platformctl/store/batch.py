"""Several commands for a host in one exchange, one after the other, as far as each ends with status 0.

A round trip costs more than most of what is asked: so what would follow anyway is said at once. A command that fails
ends the row, so that nothing runs which the caller would not have asked for any more.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import field

from platformctl.errors import Unreachable
from platformctl.model.command import NO_ROOM, Command, Completed, no_room
from platformctl.model.frozen import dataclass
from platformctl.model.names import HostName
from platformctl.store.host import RUN

ROW_LIMIT, MARK_LIMIT = 8 << 20, 256
"""Bytes of each output that are kept of a row, as transports keep no more, and what a mark in it takes at most."""
WORDS_LIMIT = 60_000
"""Bytes of words that go into one exchange: a line of shell is one word to the kernel, which takes 128 KiB."""
AT_ONCE = 32_768
"""Bytes of input that go out together with the words, as they fit into the window of a session that was just opened."""

# nonce, output limit, size of what is put aside, or 0; then for each command: the size of its input, 1 where it is
# terse, the number of its words, its words. Standard input: all inputs, one behind the other. Each command has its
# part and no more, by a `head` that reads no further than it is told; what it does not read of that is passed over. A
# command's outputs pass a filter that drains what is too much, but where it is terse: who is no longer there to read
# does not end it by that. A mark on both outputs says how it ended. What is evaluated are the places of words.
_BATCH = (
    RUN
    + r"""
set -u; umask 077; LC_ALL=C; export LC_ALL
work=; trap '[ -z "$work" ] || rm -rf "$work"' EXIT; trap 'exit 74' HUP INT TERM PIPE
nonce=$1; limit=$2; size=$3; shift 3
if [ "$size" = 0 ]; then exec 4<&0
else
  work=$(mktemp -d) && cat >"$work/in" && [ "$(wc -c <"$work/in")" -eq "$size" ] || exit 73
  exec 4<"$work/in"
fi
few() { head -c "$limit"; cat >/dev/null; }
fed() { size=$1; shift
  if [ "$size" = 0 ]; then run "$@" </dev/null 4<&-; return; fi
  head -c "$size" <&4 | (run "$@" 4<&-; ended=$?; while read -r _; do :; done; exit "$ended"); }
one() {
  size=$1; terse=$2; at=3; last=$((3 + $3)); words=
  while [ "$at" -lt "$last" ]; do at=$((at + 1)); words="$words \"\${$at}\""; done
  said="fed \"\$size\" $words"
  if [ "$terse" = 1 ]; then eval "$said" 5>&-; status=$?; return; fi
  status=$({ { { eval "$said" 3>&- 5>&- 6>&-; echo $? >&6; } 2>&1 >&3 | few >&2; } 3>&1 | few >&5; } 6>&1)
}
exec 5>&1
while [ $# -gt 0 ]; do
  one "$@"
  printf '\nplatformctl-batch %s %s\n' "$nonce" "$status"
  printf '\nplatformctl-batch %s %s\n' "$nonce" "$status" >&2
  [ "$status" = 0 ] || exit 0
  shift $((3 + $3))
done
"""
)


class CutShort(Unreachable):
    """What a host answered is longer than what is kept of it, so that the end of a command is not among it."""


@dataclass(frozen=True)
class Batch:
    """Commands that go to a host in one exchange. The nonce is fresh, so that no command can know the marks.

    Before it begins the first command the host waits for all input, unless that is at most `AT_ONCE` bytes, and it
    filters the output of each command that is not terse. `reading` says that none of them changes anything: then the
    host does neither, as being cut short does no harm and both cost it more than opening a session.
    """

    commands: tuple[Command, ...]
    reading: bool = False
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def limit(self) -> int:
        """Bytes kept of each output of a command that is filtered; the host drains the rest without sending it.

        All unfiltered commands share one such limit.
        """
        filtered = sum(not (command.terse or self.reading) for command in self.commands)
        return ROW_LIMIT // (filtered + 1) - MARK_LIMIT

    @property
    def command(self) -> Command:
        """All of them as one; its time is that of all together."""
        words: list[str] = []
        for command in self.commands:
            words += [*map(str, (len(command.stdin), int(command.terse or self.reading), len(command.argv)))]
            words += command.argv
        size = sum(len(command.stdin) for command in self.commands)
        aside = 0 if self.reading or size <= AT_ONCE else size
        head = ("sh", "-c", _BATCH, "platformctl", self.nonce, str(self.limit), str(aside))
        stdin = b"".join(command.stdin for command in self.commands)
        mutates = any(command.mutates for command in self.commands)
        return Command((*head, *words), stdin, sum(each.timeout for each in self.commands), mutates=mutates)

    def read(self, completed: Completed, host: HostName) -> tuple[Completed, ...]:
        """How each ended, up to the first that failed or whose end was not seen.

        Raises `Unreachable` when the host had no room for the inputs, so that nothing ran.
        """
        if completed.status == NO_ROOM and not completed.stdout:
            raise no_room(host)
        outputs, statuses = self._parts(completed.stdout)
        errors, _ = self._parts(completed.stderr)
        rows = zip(statuses, outputs, errors, strict=False)
        return tuple(Completed(s, o, e, self.limit in (len(o), len(e))) for s, o, e in rows)

    def _parts(self, stream: bytes) -> tuple[list[bytes], list[int]]:
        """What stood before each mark, and the status in it."""
        piece, *behind = stream.split(b"\nplatformctl-batch %s " % self.nonce.encode())
        pieces, statuses = [piece], []
        for each in behind:
            status, whole, piece = each.partition(b"\n")
            if not (whole and status.isdigit()):
                break  # the mark itself was cut short
            statuses.append(int(status))
            pieces.append(piece)
        return pieces[:-1], statuses


def run_together(
    run: Callable[[Command], Completed], commands: Sequence[Command], host: HostName, *, reading: bool = False
) -> tuple[Completed, ...]:
    """Return how the commands ended, run in as few exchanges as their words fit into, up to the first that failed.

    Raises what `run` raises, `Unreachable` when the end of a command was not seen, and `CutShort` when it was not seen
    because their output was longer than what is kept of an exchange.
    """
    ended: list[Completed] = []
    for row in batches(commands):
        ended += _exchange(run, Batch(row, reading), host)
        if ended[-1].status:
            break
    return tuple(ended)


def _exchange(run: Callable[[Command], Completed], batch: Batch, host: HostName) -> tuple[Completed, ...]:
    row = batch.commands
    if len(row) == 1:
        return (run(row[0]),)
    answer = run(batch.command)
    ended = batch.read(answer, host)
    if not ended or (len(ended) < len(row) and not ended[-1].status):
        kind = CutShort if answer.truncated else Unreachable
        raise kind(
            "the end of a command was not seen",
            detail=f"{host}: command {len(ended) + 1} of {len(row)}",
            hint=f"platformctl doctor {host}",
            reason="connect",
            host=host,
        )
    return ended


def batches(commands: Sequence[Command]) -> list[tuple[Command, ...]]:
    """Return the commands, in order, in rows whose words fit into one exchange."""
    rows: list[list[Command]] = [[]]
    room = WORDS_LIMIT
    for command in commands:
        size = sum(len(word.encode()) + 3 for word in command.argv)
        if rows[-1] and size > room:
            rows.append([])
            room = WORDS_LIMIT
        rows[-1].append(command)
        room -= size
    return [tuple(row) for row in rows if row]
