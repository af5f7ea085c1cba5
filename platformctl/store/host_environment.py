"""Fingerprints of what a host's env file sets: the values stay there, and so does the key that hides them.

A fingerprint says whether a value is another one, to whoever has seen both, and nothing else: without the key, which
never leaves the host, no guess can be tried. It is keyed twice, so that nobody who has seen one can continue it.
"""

import re
from collections.abc import Mapping

from platformctl.errors import Unreachable
from platformctl.model.command import Command, Completed
from platformctl.model.names import HostName, RepoPath
from platformctl.store.host import PRELUDE, HostLayout, read_answer, script

_LINE = re.compile(r"variable ([A-Za-z_][A-Za-z0-9_]*) ([0-9a-f]{16})\Z")

# Operands: root, the file's path. A value may have several lines: it goes on until the next line that sets something.
_FINGERPRINTS = (
    PRELUDE
    + r"""
into "$1"; cd "$root" || no missing "$1"; file=$2; key=$base/key
if [ ! -f "$key" ] || [ ! -f "$file" ]; then say fingerprints; fi
[ -r "$file" ] || no denied "$file"
name='[A-Za-z_][A-Za-z0-9_]*'; before='^[[:space:]]*(export[[:space:]]+)?'; after='[[:space:]]*[=:]'
keyed() { { cat "$key" && cat; } | sha256sum | cut -c1-64; }
value() { sed -nE "/$before$1$after/{
p
:more
n
/$before$name$after/q
p
b more
}" "$file"; }
sed -nE "s/$before($name)$after.*/\2/p" "$file" | sort -u | while IFS= read -r variable; do
  printf 'variable %s %s\n' "$variable" "$(value "$variable" | keyed | keyed | cut -c1-16)"
done
say fingerprints
"""
)


def fingerprints(layout: HostLayout, env_file: RepoPath) -> Command:
    """Return the command that asks what the env file sets, by name and fingerprint.

    The answer is empty if the host has no key yet.
    """
    return script(_FINGERPRINTS, layout.root, env_file)


def read_fingerprints(completed: Completed, host: HostName) -> Mapping[str, str]:
    """Return fingerprints by variable; raise as `read_answer` does, and `Unreachable` for any other answer."""
    answer = read_answer(completed, host)
    found = [_LINE.match(line) for line in answer.lines]
    if answer.word != "fingerprints" or not all(found):
        raise Unreachable("the host does not answer as expected", detail=f"{host}", reason="connect", host=host)
    return {match[1]: match[2] for match in found if match}
