"""The way in. Its one job: whatever happens, the exit status means what docs/exit-codes.md says.

Only 1 needs care: Python itself ends with 1 for an uncaught exception, so nothing may be left uncaught, not even a
failing import. With `--detailed-exitcode` the meanings are those of terraform, decided from the words alone.

The garbage collector is off until a verb runs, and the process ends without taking the interpreter apart: that is a
sixth of the time that `--help` takes, and more where threads spoke to hosts.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_TOOL_ERROR, _INTERRUPTED = 3, 130


def main() -> NoReturn:
    """Run the command line of this process and exit.

    Nothing is left to be done by then: connections, locks and files are given back by whoever took them.
    """
    os._exit(run())


def run() -> int:
    """Run the command line of this process, and return the exit status once all output is written."""
    gc.disable()
    words = sys.argv[1:]
    code = _run(words)
    _flush()
    return _detailed(code) if _wants_detail(words) else code


def _run(words: Sequence[str]) -> int:
    try:
        from platformctl.cli.entry import run

        return run(words)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - the last net: a failing import must not exit 1
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code != 1:
            return error.code
        print(f"platformctl could not start: {type(error).__name__}", file=sys.stderr)  # noqa: T201
        return _TOOL_ERROR


def _flush() -> None:
    """Empty the streams while the exit code is ours: where Python's own last flush fails, it ends with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _wants_detail(words: Sequence[str]) -> bool:
    """Words behind `--` are operands."""
    options = words[: words.index("--")] if "--" in words else words
    return "--detailed-exitcode" in options


def _detailed(code: int) -> int:
    """terraform's: 0 no changes, 2 changes, 1 everything else."""
    return {0: 0, 1: 2}.get(code, 1)


if __name__ == "__main__":
    main()
