"""How long `--version` and `--help` take, as multiples of `python -c pass` in the same run."""

import sys

from benchmarks.measure import PROGRAM, machine, row, timed

RUNS = 21


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    print(machine())
    bare = timed((sys.executable, "-c", "pass"), RUNS)
    row("command", "wall", "times `python -c pass`")
    row("---", "---", "---")
    row("`python -c pass`", f"{bare.seconds * 1000:.1f} ms", "1.0")
    for option in ("--version", "--help"):
        ours = timed((*PROGRAM, option), RUNS)
        row(f"`platformctl {option}`", f"{ours.seconds * 1000:.1f} ms", f"{ours.seconds / bare.seconds:.1f}")


if __name__ == "__main__":
    main()
