"""What a rule is: a name, a reason, the safer way, and a function that finds what breaks it.

A rule's function only looks. Whether a sighting refuses the release, a waiver decides in `platformctl.policy.judging`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from platformctl.model.compose import ComposeModel, ComposeService
from platformctl.model.desired import HostEntry, Module, Policy, Release
from platformctl.model.frozen import dataclass

_SHOWABLE = re.compile(r"[A-Za-z0-9_./:@-]{1,100}\Z")


@dataclass(frozen=True)
class Case:
    """A release before its judge."""

    release: Release
    policy: Policy

    @property
    def module(self) -> Module:
        """The module whose release it is."""
        return self.release.module

    @property
    def host(self) -> HostEntry:
        """The host it is for."""
        return self.release.host

    @property
    def compose(self) -> ComposeModel:
        """The compose file, resolved and in long forms."""
        return self.release.compose

    @property
    def services(self) -> tuple[ComposeService, ...]:
        """Every service that would be started, dependencies first."""
        return tuple(self.compose.services[name] for name in self.release.closure)

    def section(self, name: str) -> dict[str, Any]:
        """The top-level mapping of this name; empty when there is none."""
        return self.compose.document.get(name) or {}


@dataclass(frozen=True)
class Sighting:
    """Something that breaks a rule: where (a dotted path of the compose file, or of the manifest) and what it is.

    `what` names services, keys, paths and images; never a value of environment, labels or command.
    """

    field: str
    what: str
    in_manifest: bool = False


Look = Callable[[Case], Iterator[Sighting]]
LookAtService = Callable[[ComposeService], Iterator[tuple[str, str]]]


@dataclass(frozen=True)
class Rule:
    """One rule. `why` completes "because …" and `instead` is the safer way.

    `only_warns` never refuses. `waivable` False means that no waiver lifts it: what it forbids would make the other
    rules worthless. `plans_only` rules refuse a plan and only warn while validating.
    """

    id: str
    why: str
    instead: str
    look: Look
    only_warns: bool = False
    waivable: bool = True
    plans_only: bool = False


def in_services(look: LookAtService) -> Look:
    """A look at each service of the closure, from one that yields (key, what)."""
    return lambda case: _looked(case.services, look)


def in_whole_file(look: LookAtService) -> Look:
    """As `in_services`, for what Compose acts on while it reads the file, whichever service is started."""
    return lambda case: _looked(case.compose.services.values(), look)


def _looked(services: Iterable[ComposeService], look: LookAtService) -> Iterator[Sighting]:
    for service in services:
        for key, what in look(service):
            yield Sighting(f"services.{service.name}.{key}", f"service {service.name} {what}")


def is_off(value: Any) -> bool:
    """Whether a key says nothing or no. Any other word counts as yes, because Compose reads several as yes."""
    return value in (None, False, "", "false") or value in ([], {})


def shown(text: Any) -> str:
    """A name or path in quotes as it is, or a description when it is not fit to be shown."""
    return repr(text) if isinstance(text, str) and _SHOWABLE.match(text) else "a value with unusual characters"


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())
