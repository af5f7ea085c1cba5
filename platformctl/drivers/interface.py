"""Socket 1: what to say and what the answer means. A driver is pure: it returns commands and reads answers.

Every driver passes tests/contracts/test_drivers.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from platformctl.errors import Refusal
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry, Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, Identity, Observation, ProjectSeen
from platformctl.model.plan import Action, Change, Plan, PlannedImage, Run, Step
from platformctl.model.state import Receipt


@dataclass(frozen=True)
class Question:
    """What is to be looked at: a release, and with `hashes` what the host's orchestrator computes for it."""

    release: Release
    hashes: bool = True


@dataclass(frozen=True)
class Preceding:
    """A plan of the same run that is to be applied before another one: of which release, and what was seen for it."""

    release: Release
    plan: Plan
    seen: Observation


class Driver(Protocol):
    """How one orchestrator is asked, planned for and told. `version` is of the driver's own reading and writing."""

    name: str
    version: str

    def identify(self, *, version: bool = False) -> Command:
        """The first words said to a host: who are you? With `version` also the orchestrator's. They change nothing."""

    def read_identity(self, answer: Completed, entry: HostEntry) -> Identity:
        """Raises `Unreachable` with a reason when the engine or the orchestrator does not answer."""

    def look(self, questions: Sequence[Question], identity: Identity) -> Command:
        """One question for everything that plans of these releases need, all of one host, which is `identity`.

        Where that does not have the orchestrator's version, it is asked for too, with the first hashes. It changes
        nothing.
        """

    def read_look(
        self, answer: Completed, questions: Sequence[Question], identity: Identity, at: str
    ) -> tuple[Observation | Refusal, ...]:
        """What was seen for each question, or why there is nothing: `InvalidInput` when the orchestrator does not
        accept the release. Raises `Unreachable` for garbage.
        """

    def foresee(self, release: Release, seen: Observation, before: Preceding) -> Observation:
        """`seen`, a look for `release`, as it would be after the plan `before` for the same host was applied."""

    def stands_alone(self, release: Release) -> bool:
        """Whether a look for it sees nothing of another project, so that no step there can change what it sees."""

    def watch(self, release_project: str) -> Command:
        """A short question: how are the project's containers now?"""

    def read_watch(self, answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
        """The project's containers."""

    def watch_whole(self, release_project: str) -> Command:
        """What `watch` asks, and which networks and volumes the project has; for the look that decides."""

    def read_whole(self, answer: Completed, entry: HostEntry) -> ProjectSeen:
        """The project's containers, networks and volumes."""

    def survey(self) -> Command:
        """A question for the containers of every project on the host, answered as `watch` is."""

    def logs(self, container: Container) -> Command:
        """The last lines a container wrote."""

    def fetch(self, image: PlannedImage) -> Command:
        """Get an image by digest; it must change no running container."""

    def has(self, image: PlannedImage) -> Command:
        """Ask whether the image is there by its id; the status is 0 only then."""

    def images(self) -> Command:
        """Ask which images the host has, named or not."""

    def read_images(self, answer: Completed, entry: HostEntry) -> frozenset[Digest]:
        """The ids of all of them; raises `Unreachable` where they could not be listed."""

    def keep(self, release: Release, images: Iterable[Digest]) -> Command:
        """Give images of the previous release a name, so that a clean-up leaves them alone, and ask which containers
        the project has then.
        """

    def read_kept(self, answer: Completed, entry: HostEntry) -> frozenset[str]:
        """The ids of all of the project's containers; raises `PrepareFailed` unless every image has its name."""

    def bring_up(self, release: Release) -> tuple[Run, ...]:
        """The words that bring this release up when its files and images are in place."""

    def spoken(self, run: Run) -> tuple[str, ...]:
        """The words that do on a host what an operation's do, where some take it less; the operation's own else."""

    def steps(
        self,
        release: Release,
        changes: tuple[Change, ...],
        images: tuple[PlannedImage, ...],
        observation: Observation,
        previous: Receipt | None,
    ) -> tuple[Step, ...]:
        """The way there and the way back; empty when nothing changes."""

    def removal(
        self, release: Release, changes: tuple[Change, ...], observation: Observation, current: Receipt
    ) -> tuple[Step, ...]:
        """The way to have nothing of `current` left but what stays by `changes`, and the way back to it.

        Raises `PolicyViolation` where the host has not kept what it takes.
        """

    def dependents(self, release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
        """Services of the closure that an orchestrator of that version touches when it recreates `service`, and how."""

    def borrowers(self, release: Release, service: ServiceName) -> tuple[ServiceName, ...]:
        """Services of the closure that use a part of `service`'s container: another one means another one of them."""

    def drift(self, release: Release, observation: Observation, container: Container) -> Mapping[str, tuple[Any, Any]]:
        """What was changed by hand on a container: what its definition asks for and what there is, by field."""

    def lost_networks(self, release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
        """Networks a container was made for that are gone, or others by now."""

    def other_volumes(self, release: Release, container: Container) -> tuple[tuple[str, str], ...]:
        """Volumes that a container is to mount and has others in the place of: wanted and seen, by name."""

    def makes(self, release: Release) -> frozenset[str]:
        """Networks and volumes that are made with the release where they are not there, named as in `ProjectSeen`."""

    def new_volumes(self, release: Release, observation: Observation, service: ServiceName) -> tuple[str, ...]:
        """Volumes a service mounts that would be made, empty."""

    def contradictions(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """What is there with another definition than the release has and would not become it, one sentence each."""

    def leading_out(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Volumes that somebody else made and that lead to the host's own files, by name."""

    def project_of(self, receipt: Receipt) -> str:
        """The project that the release of a receipt was brought up in."""

    def absent(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Networks and volumes that somebody else is to make and that are not there, named as in `ProjectSeen`."""

    def one_shots(self, release: Release) -> frozenset[ServiceName]:
        """Services whose success is to end with status 0."""
