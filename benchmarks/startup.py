"""How long `--version` and `--help` take, as multiples of `python -c pass` in the same run."""

import sys

from benchmarks.measure import PROGRAM, machine, row, timed_in_turn

ROUNDS = 31
BARE = "python -c pass"


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    ours = {f"platformctl {option}": (*PROGRAM, option) for option in ("--version", "--help")}
    click = (sys.executable, "-c", "import click")
    timed = timed_in_turn({BARE: (sys.executable, "-c", "pass"), "python -c 'import click'": click, **ours}, ROUNDS)
    row("command", "median", f"times `{BARE}`", "fastest", f"times `{BARE}`")
    row("---", "---", "---", "---", "---")
    bare = timed[BARE]
    for name, each in timed.items():
        median = f"{each.seconds * 1000:.1f} ms", f"{each.seconds / bare.seconds:.1f}"
        row(f"`{name}`", *median, f"{each.fastest * 1000:.1f} ms", f"{each.fastest / bare.fastest:.1f}")


if __name__ == "__main__":
    main()
