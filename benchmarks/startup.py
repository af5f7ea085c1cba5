"""How long `--version` and `--help` take, as multiples of `python -c pass` in the same run."""

import sys

from benchmarks.measure import PROGRAM, Subject, machine, row, timed_in_turn

ROUNDS = 31
BARE = "python -c pass"


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    subjects = {
        BARE: Subject((sys.executable, "-c", "pass")),
        "python -c 'import click'": Subject((sys.executable, "-c", "import click")),
        "platformctl --version": Subject((*PROGRAM, "--version")),
        "platformctl --help": Subject((*PROGRAM, "--help")),
    }
    timed = timed_in_turn(subjects, ROUNDS)
    row("command", "median", f"times `{BARE}`", "fastest", f"times `{BARE}`")
    row("---", "---", "---", "---", "---")
    bare = timed[BARE]
    for name, each in timed.items():
        median = f"{each.seconds * 1000:.1f} ms", f"{each.seconds / bare.seconds:.1f}"
        row(f"`{name}`", *median, f"{each.fastest * 1000:.1f} ms", f"{each.fastest / bare.fastest:.1f}")


if __name__ == "__main__":
    main()
