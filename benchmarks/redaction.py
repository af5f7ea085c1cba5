"""Print how fast redaction is and how much of the corpus it gets right: `python -m benchmarks.redaction`.

Speed is the best of three, by the time of the processor: what else the machine does is not this code's.
"""

from collections.abc import Callable
from random import Random
from time import process_time

from platformctl.model.secret import Secret
from platformctl.redaction import Redactor
from tests.data.redaction_corpus import Planted, context_lines, harmless_lines, vendor_lines

_SIZE = 2_000_000  # characters


def main() -> None:
    """Measure and print."""
    plain = Redactor()
    random = Random("benchmark")
    knowing = Redactor(Secret(f"{random.getrandbits(120):x}") for _ in range(10))
    log = _log(random)
    _speed("log, nothing known", lambda: plain.clean(log))
    _speed("log, ten values known", lambda: knowing.clean(log))
    _speed("log in chunks, ten values known", lambda: _streamed(knowing, log))
    _speed("one line, ten values known", lambda: knowing.clean(log.replace("\n", " ")))
    print(f"vendor formats redacted  {hidden(plain, vendor_lines()):7.2%}")
    print(f"contexts redacted        {hidden(plain, context_lines()):7.2%}")
    print(f"harmless lines changed   {changed(plain, harmless_lines()):7.2%}")


def hidden(redactor: Redactor, lines: list[Planted]) -> float:
    """Return the share of the planted secrets of which `redactor` shows nothing."""
    return sum(planted.secret not in redactor.clean(planted.line) for planted in lines) / len(lines)


def changed(redactor: Redactor, lines: list[str]) -> float:
    """Return the share of lines that `redactor` does not leave alone."""
    return sum(redactor.clean(line) != line for line in lines) / len(lines)


def _log(random: Random) -> str:
    lines: list[str] = []
    while sum(map(len, lines[-1:])) * len(lines) < _SIZE:
        number = len(lines)
        lines.append(
            f'2026-03-01T10:11:{number % 60:02d}.123Z level=info msg="GET /items/{number} 200" duration={number % 9}ms '
            f"image=registry.example/shop@sha256:{random.getrandbits(256):064x} id={random.getrandbits(128):032x}\n"
        )
    return "".join(lines)


def _streamed(redactor: Redactor, log: str) -> str:
    stream = redactor.stream()
    shown = [stream.feed(log[start : start + 32768]) for start in range(0, len(log), 32768)]
    return "".join([*shown, stream.finish()])


def _speed(name: str, measured: Callable[[], str]) -> None:
    best = min(map(_seconds, [measured] * 3))
    print(f"{name:32} {_SIZE / best / 1e6:6.1f} MB/s")


def _seconds(measured: Callable[[], str]) -> float:
    began = process_time()
    measured()
    return process_time() - began


if __name__ == "__main__":
    main()
