"""Build the parts: the one place that knows the clock, the environment and the process."""

import getpass
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import click

from platformctl import __version__
from platformctl.cli import printing
from platformctl.cli.verb import Chosen, chosen
from platformctl.drivers.interface import Driver
from platformctl.errors import Interrupted, PolicyViolation, Terminated, Usage
from platformctl.gitinfo import Repository
from platformctl.model.secret import Secret
from platformctl.redaction import Redactor
from platformctl.sockets import DRIVERS
from platformctl.workflows.parts import Parts, TrustSource

if TYPE_CHECKING:  # importing these takes time, which most commands are spared
    from platformctl.forges.interface import Forge
    from platformctl.model.desired import HostEntry
    from platformctl.model.events import Event
    from platformctl.model.forge import ForgeAddress, ForgeKind
    from platformctl.transports.interface import Transport

_asked_to_stop: list[type[Interrupted]] = []
_known: list[Secret] = []
_learning = Lock()
_NAP = 0.1
"""Seconds after which who waits looks whether it was asked to stop."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait; who is asked to stop meanwhile waits no longer. Python goes on with a sleep behind a signal."""
        end, asked = time.monotonic() + seconds, bool(_asked_to_stop)
        while bool(_asked_to_stop) == asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _NAP))


def environment() -> Mapping[str, str]:
    """Return the process's environment, for the doors that pass parts of it on."""
    return dict(os.environ)


def directory(context: click.Context) -> Path:
    """Where the operator works: `-C DIR`, else here."""
    return Path(chosen(context).directory).resolve()


def keys_folder() -> Path:
    """Return the folder of this user's keys for platformctl."""
    from platformdirs import user_config_path

    return user_config_path("platformctl")


def parts(context: click.Context, trust: TrustSource = TrustSource()) -> Parts:  # noqa: B008 - frozen
    """Return everything a workflow needs, for this process and this folder."""
    repository = Repository.discover(directory(context), environment())
    return Parts(
        root=repository.root,
        repository=repository,
        environment=environment(),
        clock=SystemClock(),
        reach=_reach,
        get_ready=_get_ready,
        forge=forge,
        driver_for=_driver,
        tell=_teller(chosen(context)),
        learn=_learn,
        hide=lambda text: Redactor().clean(text),
        clean=printing.clean,
        interrupted=lambda: _asked_to_stop[0] if _asked_to_stop else None,
        operator=operator(repository),
        tool_version=__version__,
        trust_source=trust,
    )


def _reach(entry: "HostEntry") -> "Transport":
    from platformctl.transports.table import transport_for

    return transport_for(entry, environment())


def _get_ready(entries: "Iterable[HostEntry]", more: "Iterable[Callable[[], None]]") -> None:
    """Import the transports of these hosts, load `more` and set up the sink, while this thread waits.

    Importing paramiko takes as long as a dozen programs. Whatever fails is met again where it is needed.
    """

    def load() -> None:
        from platformctl.transports import table

        deeds: tuple[Callable[[], object], ...] = (
            partial(table.load, entries),
            *more,
            partial(printing.clean, "ready"),
        )
        for deed in deeds:
            with suppress(Exception):
                deed()

    Thread(target=load, name="loading").start()


def _teller(asked: Chosen) -> "Callable[[Event], None]":
    def tell(event: "Event") -> None:
        from platformctl.cli.telling import teller

        teller(asked)(event)

    return tell


def operator(repository: Repository) -> str:
    """Return who is at work, as receipts and locks name them; their key says who they really are."""
    return repository.person() or f"{getpass.getuser()}@{os.uname().nodename}"


def planner_key(given: Path | None) -> Path | None:
    """Return the key that signs plans: `--key`, PLATFORMCTL_PLANNER_KEY, or the one `init` made; None without."""
    return given or _from_environment("PLATFORMCTL_PLANNER_KEY") or _existing(keys_folder() / "planner_ed25519")


def person_key(given: Path | None, repository: Repository) -> Path:
    """Return the person's own key: given, PLATFORMCTL_KEY, git's SSH signing key, or the one `init` made.

    Raises `Usage` when there is none.
    """
    named = given or _from_environment("PLATFORMCTL_KEY")
    found = named or _existing(Path(repository.signing_key())) or _existing(keys_folder() / "approver_ed25519")
    if found is None:
        raise Usage(
            "there is no key to sign with",
            detail="no --key, no PLATFORMCTL_KEY, no SSH signing key in git's configuration",
            hint="platformctl init makes one",
        )
    return found


def phase() -> int | None:
    """Return PLATFORMCTL_PHASE, None when unset. Raises `PolicyViolation` for anything but a number."""
    text = os.environ.get("PLATFORMCTL_PHASE")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise PolicyViolation("the phase is not a number", detail="PLATFORMCTL_PHASE", reason="phase", hint="unset it")
    return int(text)


def be_patient() -> None:
    """Make a signal ask to stop instead of stopping: what is under way is ended or undone first.

    This holds until the process ends, as its exit code must still say what became of a host.
    """
    for number, kind in ((signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)):
        signal.signal(number, _asker(kind))


def on_terminal() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def forge(address: "ForgeAddress") -> "Forge":
    """Return the forge at `address`, with the token that the environment has for its kind."""
    from platformctl.forges.table import forge_for

    token = forge_token(address.kind)
    _learn(() if token is None else (token,))
    return forge_for(address, token)


def forge_token(kind: "ForgeKind") -> Secret | None:
    """Return FORGEJO_TOKEN, GITEA_TOKEN or GITHUB_TOKEN; None when unset."""
    value = os.environ.get(f"{kind.name}_TOKEN", "")
    return Secret(value) if value else None


def _asker(kind: type[Interrupted]) -> Callable[[int, Any], None]:
    def ask(_number: int, _frame: Any) -> None:
        if not _asked_to_stop:
            _asked_to_stop.append(kind)
            printing.progress("asked to stop: ending what is under way; see the exit code for what became of it")

    return ask


@cache
def _driver(name: str) -> Driver:
    """Return a driver by name. Raises `PolicyViolation` when there is none, `ToolError` when it can not be loaded."""
    maker: Callable[[], Driver] | None = DRIVERS.find(name)
    if maker is None:
        raise PolicyViolation(
            "there is no such driver", detail=f"{name!r}; there are: {', '.join(DRIVERS.names)}", reason="driver"
        )
    return maker()


def _learn(values: Iterable[Secret]) -> None:
    """Add secrets to the sink. Several threads may do so, and what one host told stays secret for the others."""
    with _learning:
        _known.extend(values)
        printing.learn(Redactor(_known))


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value).expanduser() if value else None


def _existing(path: Path) -> Path | None:
    return path if path != Path() and path.is_file() else None
