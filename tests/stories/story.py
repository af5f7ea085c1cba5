"""Stories: what a person types and what is seen then, as text that is run.

    needs: host
    # Narration.
    $ platformctl plan web --out ../web.json
    Plan: 1 to change, …
    …
    next: platformctl approve ../web.json
    ? 1

`needs: host` stands in the first line of a story for which there must be a lab host. `$ ` begins a command, which `> `
continues on the next line. The lines below are everything it writes to stdout and stderr; `…` in a line stands for any
text, a line of its own for any number of lines. `? 9` is the exit code, 0 when it is left out. Blank lines at the end
do not count. Of output that begins with one of these signs only the `…` can be told.

Commands are run by `sh` in the repository. They know MODULES (the folder of the example modules) and of the lab host
ADDRESS, FINGERPRINT, HOST and SSH_CONFIG, for `ssh -F "$SSH_CONFIG" "$HOST"`.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NEEDS_HOST = "needs: host"
ANYTHING = "…"
PATIENCE = 120.0
"""Seconds after which a command that is still running fails its story."""


@dataclass
class Step:
    """One command and how it must end; `line` is where it stands in the story."""

    line: int
    command: str
    seen: list[str] = field(default_factory=list)
    code: int = 0

    @property
    def pattern(self) -> str:
        """What the whole output must match."""
        last = len(self.seen) - next((i for i, line in enumerate(reversed(self.seen)) if line), len(self.seen))
        return "".join(r"(?:.*\n)*?" if line == ANYTHING else f"{_any_text(line)}\n" for line in self.seen[:last])


def needs_host(text: str) -> bool:
    """Whether a story is told of a lab host."""
    return text.startswith(NEEDS_HOST + "\n")


def steps(text: str) -> tuple[Step, ...]:
    """The commands of a story. Raises ValueError for a line that belongs to none."""
    found: list[Step] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            found.append(Step(number, line[2:]))
        elif not line.startswith("# ") and line != NEEDS_HOST and (found or line):
            if not found:
                raise ValueError(f"line {number} comes before the first command")
            _add(found[-1], line)
    return tuple(found)


def run(step: Step, folder: Path, environment: Mapping[str, str]) -> str:
    """Empty when the command did what the story says, else what it did instead."""
    done = subprocess.run(
        ("sh", "-c", step.command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode == step.code and re.fullmatch(step.pattern, done.stdout):
        return ""
    told = "\n".join((f"line {step.line}: $ {step.command}", *step.seen, f"? {step.code}"))
    return f"{told}\n\nwas told, but it was\n\n{done.stdout}? {done.returncode}"


def _add(step: Step, line: str) -> None:
    if line.startswith("> ") and not step.seen:
        step.command += "\n" + line[2:]
    elif line.startswith("? "):
        step.code = int(line[2:])
    else:
        step.seen.append(line)


def _any_text(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split(ANYTHING))
