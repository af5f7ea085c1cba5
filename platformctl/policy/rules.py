"""What a rule is: a name, a reason, the safer way, and a function that finds what breaks it.

The function only finds. Whether a sighting refuses the release or a waiver lifts it is decided in
`platformctl.policy.judging`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from platformctl.model.compose import ComposeModel, ComposeService
from platformctl.model.desired import HostEntry, Module, Release
from platformctl.model.frozen import dataclass
from platformctl.model.policy import Policy

_SHOWABLE = re.compile(r"[A-Za-z0-9_./:@-]{1,100}\Z")


@dataclass(frozen=True)
class Candidate:
    """What rules look at: a release that is to be planned, and the policy."""

    release: Release
    policy: Policy

    @property
    def module(self) -> Module:
        """The release's module."""
        return self.release.module

    @property
    def host(self) -> HostEntry:
        """The host that the release is for."""
        return self.release.host

    @property
    def compose(self) -> ComposeModel:
        """The compose file, with variables resolved and in long forms."""
        return self.release.compose

    @property
    def services(self) -> tuple[ComposeService, ...]:
        """The services of the closure, dependencies first."""
        return tuple(self.compose.services[name] for name in self.release.closure)

    @property
    def beside(self) -> tuple[ComposeService, ...]:
        """The services that Compose loads with those of the closure, and does not start."""
        return tuple(self.compose.services[name] for name in self.release.beside)

    def section(self, name: str) -> dict[str, Any]:
        """Return the top-level mapping of this name, empty when there is none."""
        return self.compose.document.get(name) or {}


@dataclass(frozen=True)
class Sighting:
    """Something that breaks a rule. `field` is its dotted path in the compose file, or in the manifest (`in_manifest`).

    `what` names services, keys, paths and images, never a value of an environment, label or command.
    """

    field: str
    what: str
    in_manifest: bool = False


Look = Callable[[Candidate], Iterator[Sighting]]
LookAtService = Callable[[ComposeService], Iterator[tuple[str, str]]]


@dataclass(frozen=True)
class Rule:
    """One rule. `why` completes a sentence with "because", `instead` is the safer way, `look` finds what breaks it.

    A rule with `only_warns` never refuses. With `waivable` False no waiver lifts it: what it forbids would make the
    other rules worthless. With `plans_only` it refuses a plan and only warns in `validate`.
    """

    id: str
    why: str
    instead: str
    look: Look
    only_warns: bool = False
    waivable: bool = True
    plans_only: bool = False


def in_services(look: LookAtService) -> Look:
    """Return a look at each service of the closure, from one at a single service that yields (key, what)."""
    return lambda candidate: _looked(candidate.services, look)


def in_whole_file(look: LookAtService) -> Look:
    """Return a look at all services of the file, for keys that Compose acts on when it reads the file.

    It does so whichever service is started.
    """
    return lambda candidate: _looked(candidate.compose.services.values(), look)


def _looked(services: Iterable[ComposeService], look: LookAtService) -> Iterator[Sighting]:
    for service in services:
        for key, what in look(service):
            yield Sighting(f"services.{service.name}.{key}", f"service {service.name} {what}")


def is_off(value: Any) -> bool:
    """Whether the value of a key is empty or false. Any other word counts as true, as several do in Compose."""
    return value in (None, False, "", "false") or value in ([], {})


def shown(text: Any) -> str:
    """Return a name or path in quotes, or a substitute for a value with characters that should not be shown."""
    return repr(text) if isinstance(text, str) and _SHOWABLE.match(text) else "a value with unusual characters"


def words(text: str) -> frozenset[str]:
    """Return the words of a text, to write a table of names."""
    return frozenset(text.split())
