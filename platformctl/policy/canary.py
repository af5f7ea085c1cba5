"""A rule over the canary: where it would never be let ask is found out before anything runs, and not by its failure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from platformctl.policy.rules import Candidate, Rule, Sighting


def _never_asked(candidate: Candidate) -> Iterator[Sighting]:
    """Addresses as they are written; what a name leads to is seen when it is asked."""
    if candidate.module.canary is None:
        return
    from platformctl.model.addresses import never_asked  # with it comes ipaddress, which most modules do without

    place, local = "spec.canary.url", candidate.host.transport == "local"
    try:
        parts = urlsplit(candidate.module.canary.url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield Sighting(place, "the canary's URL is malformed", in_manifest=True)
        return
    try:
        what = never_asked("127.0.0.1" if host == "localhost" else host, local=local)
    except ValueError:
        return
    if what:
        yield Sighting(place, f"the canary asks {what}", in_manifest=True)


CANARY: Final = Rule(
    "canary-address",
    why="it is asked from the operator's machine, and there never, so that each apply would be rolled back",
    instead="name the address by which people reach the service",
    look=_never_asked,
    waivable=False,
)
