"""All that a comparison of what is wanted with what was seen goes by."""

from collections.abc import Iterable, Mapping

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath, ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import PlannedImage
from platformctl.model.state import HostRecord
from platformctl.planning.fields import Hide


@dataclass(frozen=True)
class Wanted:
    """All that a comparison needs: the release, what was seen, the images by reference, and what the host remembers."""

    release: Release
    observation: Observation
    images: Mapping[str, PlannedImage]
    record: HostRecord
    driver: Driver
    hide: Hide
    foreign: frozenset[ServiceName] = frozenset()

    def image_of(self, service: ServiceName) -> PlannedImage | None:
        """What the service is to run; None where the release has no image for it."""
        return self.images.get(self.release.compose.services[service].image or "")

    def is_none(self, service: ServiceName) -> bool:
        """Whether the service is to have no container (`scale: 0`)."""
        return self.release.compose.services[service].replicas == 0

    @property
    def unmanaged(self) -> bool:
        """Whether containers of ours are there that no receipt names: they were not made by an apply.

        `foreign` services of the project are other modules', whose own receipts name them.
        """
        mine = (service for service in self.release.closure if service not in self.foreign)
        return self.record.current is None and any(self.observation.of(service) for service in mine)

    @property
    def is_applied(self) -> bool:
        """Whether the release that was applied last is this one: what differs then, the release did not change."""
        return self.record.current is not None and self.record.current.desired == self.release.digest

    def deleted(self, used: Iterable[str]) -> tuple[RepoPath, ...]:
        """Files below the folders `used` that the last release had there and this one has not."""
        current = self.record.current
        left = current.left_behind(file.path for file in self.release.files) if current else ()
        return tuple(file.path for file in left if is_used(file.path, used))


def is_used(path: str, used: Iterable[str]) -> bool:
    """A mount may name a file or a folder."""
    return any(path == name or path.startswith(name + "/") for name in used)
