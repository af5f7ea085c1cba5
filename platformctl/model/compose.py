"""A compose file as platformctl understands it: what `up -d <service>` would start, and from what.

Made by `platformctl.manifests.compose` from raw bytes. Variables are resolved from the environment that is set and from
defaults alone; nothing on a host influences it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any

from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath, ServiceName

_ASKED = ("always", "daily", "refresh", "weekly")
GIVEN = re.compile(r"(?:HOME|PATH|PWD|OLDPWD|SHLVL|_)\Z|DOCKER_CLI_|OTEL_")
"""Variables that a shell and Docker's command line set for Compose, however empty the environment is.

Seen with 20.10, 2.26.1.
"""
_COUNT = re.compile(r"\+?[0-9]{1,9}\Z")
_ON, _OFF = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


def truth(value: Any) -> bool | None:
    """Return what Compose takes the value of a flag for; None for what it does not accept, and for nothing.

    `yes`, `on` and `y`, in any case, are true (seen with 2.26.1 and 5.6.1).
    """
    word = str(value).lower()
    return True if word in _ON else False if word in _OFF else None


def is_made(declared: Mapping[str, Any]) -> bool:
    """Whether Compose makes a network or volume with this declaration if it does not exist: it is not external."""
    return declared.get("external") is None or truth(declared["external"]) is False


def as_text(value: Any) -> str:
    """Return a scalar as Compose writes it where text is wanted: in labels, options and variables.

    A fraction is written as Go does: `1.0` is 1, and from a million on there is an exponent.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _fraction(value)
    return "" if value is None else str(value)


def _fraction(value: float) -> str:
    shortest = Decimal(repr(value)).normalize()
    exponent = shortest.adjusted() if value else 0
    if -5 < exponent < 6:
        return f"{shortest:f}"
    return f"{shortest.scaleb(-exponent):f}e{exponent:+03d}"


@dataclass(frozen=True)
class ComposeService:
    """One service. `needs` are the services Compose starts or looks at because of this one.

    `mounted` are repository files the container sees without Compose noticing a change of their contents (bind mounts,
    configs, secrets); `env_files` are those Compose reads into the environment, `may_be_absent` those of them that it
    does without. `definition` is the resolved mapping, `variables` are all that it named before or hands on by their
    name alone. `inlined` are configs whose content stands in the file itself, as `configs.NAME`: Compose copies it into
    a container that it makes, and does not notice a change of it either. `granted` are the files of its other configs
    and of its secrets, by such names.
    """

    name: ServiceName
    image: str | None
    needs: tuple[ServiceName, ...]
    mounted: tuple[RepoPath, ...]
    env_files: tuple[RepoPath, ...]
    has_healthcheck: bool
    definition: Mapping[str, Any]
    variables: tuple[str, ...] = ()
    inlined: Mapping[str, str] = field(default_factory=dict)
    granted: Mapping[str, RepoPath] = field(default_factory=dict)
    may_be_absent: frozenset[RepoPath] = frozenset()

    @property
    def tag(self) -> str:
        """The tag of its image's name, "" if there is none; `sha256:…` alone is an image by its id."""
        name, _, tag = (self.image or "").partition("@")[0].rpartition("/")[2].partition(":")
        return "" if name == "sha256" else tag

    @property
    def is_moving(self) -> bool:
        """Whether each `up` of Compose's own would ask the registry what the image's name means by now."""
        policy = str(self.definition.get("pull_policy", ""))
        return "@" not in (self.image or "") and (policy in _ASKED or policy.startswith("every_"))

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles that include it; one of them is enough. Without profiles it is always included."""
        return tuple(map(str, self.definition.get("profiles") or ()))

    @property
    def optional(self) -> frozenset[str]:
        """Those of `needs` that Compose does without if no profile includes them."""
        conditions = self.definition.get("depends_on")
        needed = conditions.items() if isinstance(conditions, Mapping) else ()
        return frozenset(name for name, how in needed if truth(how.get("required")) is False)

    @property
    def replicas(self) -> int:
        """How many containers it is to have; no part of Compose's hash. Compose refuses what is no number."""
        deploy = self.definition.get("deploy")
        wanted = self.definition.get("scale", deploy.get("replicas") if isinstance(deploy, Mapping) else None)
        return int(as_text(wanted)) if _COUNT.match(as_text(wanted)) else 1


@dataclass(frozen=True)
class ComposeModel:
    """A whole compose file, resolved. `lines` has the 1-based line of a dotted path such as `services.web.image`.

    `unset` are variables without a value or default, `deciding` all that decide anything but `environment:` values,
    each with the dotted path of the value that names it. A default is what was judged only as long as nothing on the
    host sets its variable. `left_to_host` are those without a value or default in `environment:` values: they are empty
    unless the host sets them.
    """

    path: RepoPath
    services: Mapping[ServiceName, ComposeService]
    document: Mapping[str, Any]
    lines: Mapping[str, int]
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    unset: tuple[tuple[str, str], ...] = ()
    deciding: tuple[tuple[str, str], ...] = ()
    left_to_host: tuple[tuple[str, str], ...] = ()

    def brought_by(self, service: ServiceName) -> frozenset[ServiceName]:
        """Return the services that an `up` of `service` includes; it makes the networks and volumes of all of them."""
        enabled = set(self.services[service].profiles if service in self.services else ())
        profiles = {each.name: each.profiles for each in self.services.values()}
        return frozenset(name for name, own in profiles.items() if not own or enabled.intersection(own))

    def closure(self, service: ServiceName) -> tuple[ServiceName, ...]:
        """Return `service` and all it needs, each after what it needs; a cycle ends where it began.

        Services that Compose does without are left out. One that it needs and does not include is kept: Compose refuses
        that.
        """
        brought = self.brought_by(service)
        ordered: dict[ServiceName, None] = {}
        entered: set[ServiceName] = set()

        def visit(name: ServiceName) -> None:
            if name in entered or name not in self.services:
                return
            entered.add(name)
            for needed in sorted(self.services[name].needs):
                if needed in brought or needed not in self.services[name].optional:
                    visit(needed)
            ordered[name] = None

        visit(service)
        return tuple(ordered)

    def reached(self, service: ServiceName, named: Collection[ServiceName]) -> frozenset[ServiceName]:
        """Return what of the closure of `service` it reaches without passing through one of `named`."""
        closure, found, waiting = frozenset(self.closure(service)), set[ServiceName](), [service]
        while waiting:
            name = waiting.pop()
            if name in closure and name not in found and (name == service or name not in named):
                found.add(name)
                waiting.extend(self.services[name].needs)
        return frozenset(found)

    def line_of(self, path: str) -> int | None:
        """Return the line of `path`, or of the nearest thing that contains it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path)
