"""The driver for Docker Compose: the commands for a host, and what its containers look like from outside.

Exit statuses and progress output of Compose are never the verdict; ids, labels and states are (with Compose 2.26,
`up -d` exits 0 for a container that dies at once). Nothing here runs anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from platformctl.drivers import compose_obstacles as obstacles
from platformctl.drivers import compose_resources as resources
from platformctl.drivers.compose_borrowing import from_others, lenders
from platformctl.drivers.compose_dependents import dependents
from platformctl.drivers.compose_removal import removal_step
from platformctl.drivers.compose_steps import steps
from platformctl.drivers.compose_up import SHORT_TIMEOUT, bring_up
from platformctl.drivers.interface import Preceding, Question
from platformctl.errors import Refusal
from platformctl.model.command import Command, Completed
from platformctl.model.compose import is_made
from platformctl.model.desired import HostEntry, ModuleKind, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, Identity, Observation, ProjectSeen
from platformctl.model.plan import Action, Change, PlannedImage, Run, Step
from platformctl.model.state import Receipt


class DockerCompose:
    """The driver `docker-compose`: Compose v2 on the host itself, by `docker compose`.

    The modules that ask a host and read its answers are imported on first use: an offline plan does not need them.
    """

    name = "docker-compose"
    version = "1"

    def identify(self, *, version: bool = False) -> Command:
        """Ask for user, machine id, clock and engine; with `version` also for Compose's, which takes a run of it."""
        from platformctl.drivers.compose_questions import identify

        return Command(identify(version=version), timeout=90)

    def read_identity(self, answer: Completed, entry: HostEntry) -> Identity:
        """Return who answered; raises `Unreachable` when the engine or Compose v2 does not, with a reason for each."""
        from platformctl.drivers.compose_answers import identity

        return identity(answer.stdout, entry)

    def look(self, questions: Sequence[Question], identity: Identity) -> Command:
        """Ask for containers, files, images, networks and volumes, and for the hashes of desired services."""
        from platformctl.drivers.compose_look import look

        hashes = any(question.hashes for question in questions)
        return look(questions, version=hashes and not identity.compose_version)

    def read_look(
        self, answer: Completed, questions: Sequence[Question], identity: Identity, at: str
    ) -> tuple[Observation | Refusal, ...]:
        """Return an observation for each question, or a refusal.

        It is `InvalidInput` where Compose does not accept the release, `PolicyViolation` where its env.file can not be
        read. Raises `Unreachable` for garbage or when the engine does not answer.
        """
        from platformctl.drivers.compose_observations import observations

        return observations(answer.stdout, questions, identity, at)

    def foresee(self, release: Release, seen: Observation, before: Preceding) -> Observation:
        """Return `seen` with the files, images, networks and volumes that `before` brings.

        For a release of the same project it has the new containers too; for another project only their names matter.
        """
        from platformctl.drivers.compose_foresight import foreseen

        return foreseen(release, seen, before, self.one_shots(before.release))

    def stands_alone(self, release: Release) -> bool:
        """Whether no network or volume can be another project's and no service names a container outside the file."""
        return resources.are_own(release) and not from_others(release)

    def watch(self, release_project: str) -> Command:
        """Ask for the project's containers as they are now."""
        from platformctl.drivers.compose_questions import watch

        return Command(watch(release_project), timeout=30, terse=True)

    def read_watch(self, answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
        """Return the project's containers; raises `Unreachable` for garbage or when the engine does not answer."""
        from platformctl.drivers.compose_answers import containers

        return containers(answer, entry)

    def watch_whole(self, release_project: str) -> Command:
        """Ask for the project's containers as they are now, and for its networks and volumes."""
        from platformctl.drivers.compose_questions import watch_whole

        return Command(watch_whole(release_project), timeout=30, terse=True)

    def read_whole(self, answer: Completed, entry: HostEntry) -> ProjectSeen:
        """Do as `read_watch`, with the networks and volumes that have the project's label: no plan makes others."""
        from platformctl.drivers.compose_answers import whole

        return whole(answer, entry)

    def survey(self) -> Command:
        """Ask for all containers on the host that Compose made."""
        from platformctl.drivers.compose_questions import watch

        return Command(watch(None), timeout=60)

    def logs(self, container: Container) -> Command:
        """Ask for the last 20 lines that a container wrote."""
        return Command(("docker", "logs", "--tail", "20", "--", container.id), timeout=20)

    def fetch(self, image: PlannedImage) -> Command:
        """Pull an image by digest, so that a moved tag has no effect; a step of the plan sets the tag."""
        return Command(("docker", "pull", "--quiet", "--", image.digest or image.ref), timeout=600, mutates=True)

    def has(self, image: PlannedImage) -> Command:
        """Ask for an image by its planned id, which the host does not have if something else was pulled."""
        return Command(("docker", "image", "inspect", "--format", "{{.Id}}", "--", image.id), timeout=SHORT_TIMEOUT)

    def images(self) -> Command:
        """Ask the engine for its list of all images."""
        from platformctl.drivers.compose_questions import images

        return Command(images(), timeout=90)

    def read_images(self, answer: Completed, entry: HostEntry) -> frozenset[Digest]:
        """Raises `Unreachable` for garbage or a silent engine."""
        from platformctl.drivers.compose_answers import images

        return images(answer.stdout, entry)

    def keep(self, release: Release, images: Iterable[Digest]) -> Command:
        """Name the previous images `platformctl/<module>:<digest12>`; `docker image prune` then leaves them alone."""
        from platformctl.drivers.compose_questions import keep

        name = f"platformctl/{release.module.id}"
        tags = [(image, name, image.hexadecimal[:12]) for image in sorted(set(images))]
        return Command(keep(tags, release.module.runtime.project), timeout=SHORT_TIMEOUT, terse=True)

    def read_kept(self, answer: Completed, entry: HostEntry) -> frozenset[str]:
        """Return the ids of the project's containers.

        Raises `PrepareFailed` unless every image has its name, `Unreachable` for garbage or a silent engine.
        """
        from platformctl.drivers.compose_answers import kept

        return kept(answer, entry)

    def removal(
        self, release: Release, changes: tuple[Change, ...], observation: Observation, current: Receipt
    ) -> tuple[Step, ...]:
        """Return one step: `rm -s -f` of the services that go, and the recorded `up` as its undo."""
        return removal_step(release, changes, observation, current)

    def dependents(self, release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
        """Return the services that `up` recreates or starts again with `service`, which depends on the version."""
        return dependents(release, service, version)

    def borrowers(self, release: Release, service: ServiceName) -> tuple[ServiceName, ...]:
        """Return the services whose definition gets the id of `service`'s container."""
        return tuple(name for name in release.closure if service in lenders(release.compose.services[name]))

    def one_shots(self, release: Release) -> frozenset[ServiceName]:
        """Return the service of a job, and services that others wait for with `service_completed_successfully`."""
        main = {release.module.runtime.compose_service} if release.module.kind is ModuleKind.JOB else set()
        awaited = {
            ServiceName(needed)
            for service in release.compose.services.values()
            if isinstance(conditions := service.definition.get("depends_on"), Mapping)
            for needed, how in conditions.items()
            if isinstance(how, Mapping) and how.get("condition") == "service_completed_successfully"
        }
        return frozenset(main | awaited)

    def drift(self, release: Release, observation: Observation, container: Container) -> Mapping[str, tuple[Any, Any]]:
        """Return settings such as restart policy, limits, capabilities and networks that differ: wanted and seen."""
        return resources.drift(release, observation, container)

    def lost_networks(self, release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
        """Return the container's networks that are gone or were made anew.

        Compose leaves a running container in its old network, and can not start one whose network is gone.
        """
        return resources.lost_networks(release, observation, container)

    def other_volumes(self, release: Release, container: Container) -> tuple[tuple[str, str], ...]:
        """Return wanted and seen names of volumes that changed: Compose 2.26 leaves a container with those it has."""
        return resources.other_volumes(release, container)

    def makes(self, release: Release) -> frozenset[str]:
        """Return the project's own networks and volumes, including those of the file's services outside the closure."""
        return frozenset(f"{kind} {name}" for kind, name in resources.made_with(release))

    def new_volumes(self, release: Release, observation: Observation, service: ServiceName) -> tuple[str, ...]:
        """Return the service's own volumes that do not exist yet and will be made empty."""
        there = {volume.name for volume in observation.volumes}
        declared = resources.volumes(release, service)
        return tuple(name for name in sorted(declared) if is_made(declared[name]) and name not in there)

    def contradictions(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return one sentence for each network or volume that exists with another definition.

        Compose 2.26 leaves it as it is, newer ones do not.
        """
        return resources.contradictions(release, observation)

    def leading_out(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return volumes that are external or have a name of their own and lead out: no file says what they mount."""
        return resources.leading_out(release, observation)

    def project_of(self, receipt: Receipt) -> str:
        """Return the project that the recorded `up` names with `-p`."""
        words = receipt.up[0].argv
        return words[words.index("-p") + 1]

    def absent(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return what is `external` in the file and not on the host: `up` fails then, whatever else it was to do."""
        return obstacles.absent(release, observation)

    def unreadable(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return env files of services beside the closure, which Compose up to 2.33 reads too."""
        return obstacles.unreadable(release, observation)

    def beyond_engine(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return settings such as the subpath of a volume, of which an older engine shows the container all."""
        return tuple(obstacles.beyond_engine(release, observation))

    def bring_up(self, release: Release) -> tuple[Run, ...]:
        """Return `docker compose … up -d --no-build --pull never -- <service>` with everything spelled out."""
        return (bring_up(release, release.module.runtime.compose_service, force=False),)

    def spoken(self, run: Run) -> tuple[str, ...]:
        """Return words that run Compose's program directly: docker starts twice and asks it for metadata first."""
        from platformctl.drivers.compose_questions import directly

        return directly(run.argv)

    def steps(
        self,
        release: Release,
        changes: tuple[Change, ...],
        images: tuple[PlannedImage, ...],
        observation: Observation,
        previous: Receipt | None,
    ) -> tuple[Step, ...]:
        """Return one step, with its undo; none when every change is to keep."""
        return steps(release, changes, images, observation, previous)
