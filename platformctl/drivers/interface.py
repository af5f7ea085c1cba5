"""Socket 1: what to say and what the answer means. A driver is pure: it returns commands and reads answers.

Commands that only ask change nothing on the host. Each `read_…` takes the answer to the command of that name and raises
`Unreachable` where the engine did not answer or the answer can not be understood. Every driver passes
tests/contracts/test_drivers.py.
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
    """A release to look at on its host. With `hashes` the orchestrator is to compute the hashes of its services too."""

    release: Release
    hashes: bool = True


@dataclass(frozen=True)
class Preceding:
    """A plan that will be applied first: its release, and the observation of the host that it was made from."""

    release: Release
    plan: Plan
    seen: Observation


class Driver(Protocol):
    """One orchestrator. `name` is what manifests call it; `version` is the driver's own and is signed in plans."""

    name: str
    version: str

    def identify(self, *, version: bool = False) -> Command:
        """Return a command that asks for user, machine, engine and clock; `version`: for the orchestrator's too."""

    def read_identity(self, answer: Completed, entry: HostEntry) -> Identity:
        """Return who answered. The reason of an `Unreachable` says what did not answer: engine or orchestrator."""

    def look(self, questions: Sequence[Question], identity: Identity) -> Command:
        """Return one command that asks the host `identity` for all that planning these releases of it needs.

        Where hashes are asked for and `identity` has no version of the orchestrator, it asks for the version too.
        """

    def read_look(
        self, answer: Completed, questions: Sequence[Question], identity: Identity, at: str
    ) -> tuple[Observation | Refusal, ...]:
        """Return an observation made at the time `at` for each question, in their order, or a refusal in its place.

        That is `InvalidInput` where the orchestrator does not accept the release, and `PolicyViolation` where a file
        that the operator has to place is missing.
        """

    def foresee(self, release: Release, seen: Observation, before: Preceding) -> Observation:
        """Return the observation `seen`, made for `release`, as it will be once the plan `before` was applied there."""

    def stands_alone(self, release: Release) -> bool:
        """Whether an observation of the release has nothing that applying another project could change."""

    def watch(self, release_project: str) -> Command:
        """Return a short command that asks for the state of a project's containers."""

    def read_watch(self, answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
        """Return the containers that were asked for by `watch` or `survey`."""

    def watch_whole(self, release_project: str) -> Command:
        """Return the command that asks for what `watch` does, and for the project's networks and volumes."""

    def read_whole(self, answer: Completed, entry: HostEntry) -> ProjectSeen:
        """Return the project's containers, networks and volumes."""

    def survey(self) -> Command:
        """Return a command that asks for the containers of all projects on the host; `read_watch` reads it."""

    def logs(self, container: Container) -> Command:
        """Return the command that prints the last lines a container wrote, on both of its outputs."""

    def fetch(self, image: PlannedImage) -> Command:
        """Return the command that pulls an image by digest. It moves no tag and changes no container."""

    def has(self, image: PlannedImage) -> Command:
        """Return a command that ends with status 0 only where the host has the image by its id."""

    def images(self) -> Command:
        """Ask which images the host has, named or not."""

    def read_images(self, answer: Completed, entry: HostEntry) -> frozenset[Digest]:
        """The ids of all of them; raises `Unreachable` where they could not be listed."""

    def keep(self, release: Release, images: Iterable[Digest]) -> Command:
        """Return the command that names images, so that a clean-up of the host leaves them, and then lists the project.

        `images` are those of the previous release, by id.
        """

    def read_kept(self, answer: Completed, entry: HostEntry) -> frozenset[str]:
        """Return the ids of all the project's containers. Raises `PrepareFailed` where an image could not be named."""

    def bring_up(self, release: Release) -> tuple[Run, ...]:
        """Return the operations that bring the release up once its files and images are in place."""

    def spoken(self, run: Run) -> tuple[str, ...]:
        """Return the argv to run on the host for `run`: a cheaper equivalent if there is one, else `run.argv`."""

    def steps(
        self,
        release: Release,
        changes: tuple[Change, ...],
        images: tuple[PlannedImage, ...],
        observation: Observation,
        previous: Receipt | None,
    ) -> tuple[Step, ...]:
        """Return what to do for `changes`, each step with its undo; empty when nothing changes.

        `images` are those of the closure; `previous` is the release that the undo brings back, None for a first one.
        """

    def removal(
        self, release: Release, changes: tuple[Change, ...], observation: Observation, current: Receipt
    ) -> tuple[Step, ...]:
        """Return the steps that remove the services which `changes` delete, and the undo that brings `current` back.

        `release` is that of a module without a manifest. Raises `PolicyViolation` where the host has not kept a file
        that is needed to remove them.
        """

    def dependents(self, release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
        """Return what an orchestrator of that version does to others of the closure when it recreates `service`."""

    def borrowers(self, release: Release, service: ServiceName) -> tuple[ServiceName, ...]:
        """Return the services of the closure that must be recreated when `service` gets a new container."""

    def drift(self, release: Release, observation: Observation, container: Container) -> Mapping[str, tuple[Any, Any]]:
        """Return what somebody changed by hand on a container, by field: as its definition says, and as it is."""

    def lost_networks(self, release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
        """Return the networks, by name, that a container was made for and that were removed or made anew since."""

    def other_volumes(self, release: Release, container: Container) -> tuple[tuple[str, str], ...]:
        """Return the names of volumes that a container should mount, each with the one mounted in its place."""

    def makes(self, release: Release) -> frozenset[str]:
        """Return the networks and volumes that `bring_up` makes where they are missing, named as in `ProjectSeen`."""

    def new_volumes(self, release: Release, observation: Observation, service: ServiceName) -> tuple[str, ...]:
        """Return the names of volumes that a service mounts and that `bring_up` would make, empty."""

    def contradictions(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return a sentence for each network or volume whose definition differs and that `bring_up` would leave so."""

    def leading_out(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return the names of volumes of others whose driver or options can lead to the host's own files."""

    def project_of(self, receipt: Receipt) -> str:
        """Return the project that the release of a receipt was brought up in."""

    def absent(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return the networks and volumes that somebody else has to make and has not, named as in `ProjectSeen`."""

    def unreadable(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Files of services beside the closure that the host's orchestrator reads too, and that are not there."""

    def beyond_engine(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return a sentence for each setting that the host's engine does not know: it would ignore or refuse it."""

    def one_shots(self, release: Release) -> frozenset[ServiceName]:
        """Return the services that are done when they end with status 0, rather than healthy while they run."""
