"""What a comparison of a release with an observation is made from."""

from collections.abc import Iterable, Mapping

from platformctl.drivers.interface import Driver
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import RepoPath, ServiceName
from platformctl.model.observed import Observation
from platformctl.model.plan import PlannedImage
from platformctl.model.state import HostRecord
from platformctl.planning.hiding import Hide


@dataclass(frozen=True)
class Wanted:
    """All that a comparison needs: the release, what was seen, the images by reference, and the host record.

    `foreign` are services of the project that other modules name.
    """

    release: Release
    observation: Observation
    images: Mapping[str, PlannedImage]
    record: HostRecord
    driver: Driver
    hide: Hide
    foreign: frozenset[ServiceName] = frozenset()

    def image_of(self, service: ServiceName) -> PlannedImage | None:
        """Return the image that the service is to run; None where the release has none for it."""
        return self.images.get(self.release.compose.services[service].image or "")

    def is_none(self, service: ServiceName) -> bool:
        """Whether the service is to have no container (`scale: 0`)."""
        return self.release.compose.services[service].replicas == 0

    @property
    def unmanaged(self) -> bool:
        """Whether the module's services have containers although it has no receipt: no apply made them.

        Containers of `foreign` services do not count: the receipts of their own modules name them.
        """
        mine = (service for service in self.release.closure if service not in self.foreign)
        return self.record.current is None and any(self.observation.of(service) for service in mine)

    @property
    def is_applied(self) -> bool:
        """Whether this release is the one that was applied last, so that no difference comes from the release."""
        return self.record.current is not None and self.record.current.desired == self.release.digest

    def deleted(self, used: Iterable[str]) -> tuple[RepoPath, ...]:
        """Return the paths of files at or below `used` that the last release delivered and this one does not have."""
        current = self.record.current
        left = current.left_behind(file.path for file in self.release.files) if current else ()
        return tuple(file.path for file in left if is_used(file.path, used))


def is_used(path: str, used: Iterable[str]) -> bool:
    """Whether `path` is one of the paths in `used`, or lies below one that is a folder."""
    return any(path == name or path.startswith(name + "/") for name in used)
