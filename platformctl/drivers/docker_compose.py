"""The driver for Docker Compose: the commands for a host, and what its containers look like from outside.

Exit statuses and progress output of Compose are never the verdict; ids, labels and states are (with Compose 2.26,
`up -d` exits 0 for a container that dies at once). Nothing here runs anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from platformctl.drivers import compose_resources as resources
from platformctl.drivers.compose_borrowing import from_others, lenders
from platformctl.drivers.compose_dependents import dependents, number_of
from platformctl.drivers.compose_engine_needs import beyond_engine
from platformctl.drivers.compose_removal import removal_step
from platformctl.drivers.interface import Preceding, Question
from platformctl.errors import Refusal
from platformctl.model.command import Command, Completed
from platformctl.model.desired import HostEntry, ModuleKind, Release
from platformctl.model.names import Digest, ServiceName
from platformctl.model.observed import Container, Identity, Observation, ProjectSeen
from platformctl.model.plan import (
    Action,
    Cause,
    Change,
    Operation,
    Place,
    PlannedFile,
    PlannedImage,
    Remove,
    Run,
    Step,
    is_own,
)
from platformctl.model.state import Receipt

SHORT_TIMEOUT = 60
_UNSEEN = frozenset({Cause.FILE_CONTENT, Cause.NETWORK, Cause.VOLUME})
"""Causes that Compose's hash does not cover, so that `up` must be forced for them, on the way back too."""

_READS_FEWER = (2, 34, 0)
"""The first Compose that reads env files once it has chosen services (docker/compose#12611); 2.33.1 still fails for
want of one that nobody asked for (docker/compose#8713).
"""
_REMOVE = """project=$1; shift
for service; do
  ids=$(docker ps -aq --filter "label=com.docker.compose.project=$project" \\
    --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False) || exit
  [ -z "$ids" ] || { docker stop $ids && docker rm -f $ids; } || exit
done"""

_REMOVE_NETWORKS = """for network; do
  docker network inspect "$network" >/dev/null 2>&1 || continue
  users=$(docker ps -aq --filter "network=$network") || exit
  [ -n "$users" ] || docker network rm "$network" || exit
done"""


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

        def undo(touched: tuple[Change, ...], previous: Receipt) -> tuple[Run, ...]:
            return _previous_ups(release, touched, previous, alone=False)

        return removal_step(release, changes, observation, current, timeout=release.host.timeouts.step, undo=undo)

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
        return tuple(name for name in sorted(declared) if resources.is_own(declared[name]) and name not in there)

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
        return resources.absent(release, observation)

    def unreadable(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Compose up to 2.33 reads the env files of all services first, newer ones those of what they bring up.

        Seen with 2.26.1 and 5.6.1.
        """
        reads_all = (2,) <= number_of(observation.identity.compose_version) < _READS_FEWER
        return tuple(path for path in release.read_beside if reads_all and path in observation.lacking)

    def beyond_engine(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Return settings such as the subpath of a volume, of which an older engine shows the container all."""
        return tuple(beyond_engine(release, observation.identity.engine_version))

    def bring_up(self, release: Release) -> tuple[Run, ...]:
        """Return `docker compose … up -d --no-build --pull never -- <service>` with everything spelled out."""
        return (_up(release, release.module.runtime.compose_service, force=False),)

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
        """Return one step that sets tags, places files and runs `up`; empty when every change is to keep.

        Its undo removes what was created, puts files and tags back and runs the previous `up`.
        """
        if all(change.action is Action.KEEP for change in changes):
            return ()
        forward: tuple[Operation, ...] = (
            *_tags(images, observation),
            *_places(release, observation),
            *(Remove(file.path) for file in _deleted(release, changes, previous)),
            *_ups(release, changes),
        )
        return (Step("release", forward, _undo(release, changes, observation, previous)),)


def _prefix(release: Release) -> tuple[str, ...]:
    """Return the words before the verb.

    A look gives Compose the same project, folder and env files, or its hashes would not be those of `up`.
    """
    root, module = release.host.root, release.module
    return (
        *("docker", "compose", "-f", f"{root}/{module.runtime.compose_file}", "-p", module.runtime.project),
        *("--project-directory", resources.project_folder(release)),
        *("--env-file", f"{root}/{module.env.file}" if module.env.file else "/dev/null"),
        *(word for file in release.files if is_own(file.path) for word in ("--env-file", f"{root}/{file.path}")),
    )


def _up(release: Release, service: ServiceName, *, force: bool) -> Run:
    forced = ("--force-recreate",) if force else ()
    words = ("up", "-d", "--no-build", "--pull", "never", *forced, "--", service)
    return Run((*_prefix(release), *words), release.host.timeouts.step)


def _ups(release: Release, changes: tuple[Change, ...]) -> tuple[Run, ...]:
    """Return the `up` of the main service, after a forced `up` for each other service that must be forced.

    Compose does not see some changes, as of a mounted file's contents (compose#11900), and to force the main service
    does not force those it needs. Empty when no container is touched.
    """
    if not any(change.action.touches_container for change in changes):
        return ()
    main = release.module.runtime.compose_service
    recreated = (change for change in changes if change.action is Action.RECREATE)
    forced = [change.service for change in recreated if change.is_forced]
    return (
        *(_up(release, service, force=True) for service in forced if service != main),
        _up(release, main, force=main in forced),
    )


def _tags(images: tuple[PlannedImage, ...], observation: Observation) -> tuple[Run, ...]:
    """Return commands that point references at the planned images where the host's tags point elsewhere."""
    seen = {image.ref: image.id for image in observation.images if image.present}
    return tuple(
        Run(("docker", "tag", "--", image.id, image.ref), SHORT_TIMEOUT)
        for image in images
        if seen.get(image.ref) != image.id and "@" not in image.ref
    )


def _places(release: Release, observation: Observation) -> tuple[Place, ...]:
    seen = {file.path: file for file in observation.files}
    return tuple(
        Place(file.path, file.digest, file.mode)
        for file in release.files
        if not is_own(file.path) and (seen[file.path].digest, seen[file.path].mode) != (file.digest, file.mode)
    )


def _deleted(release: Release, changes: tuple[Change, ...], previous: Receipt | None) -> tuple[PlannedFile, ...]:
    """Files of the previous release below folders that a service which changes mounts: it would go on seeing them."""
    changing = {change.service for change in changes if change.action is not Action.KEEP}
    services = (release.compose.services[name] for name in release.closure if name in changing)
    mounted = tuple(f"{path}/" for service in services for path in service.mounted)
    left = previous.left_behind(file.path for file in release.files) if previous else ()
    return tuple(file for file in left if file.path.startswith(mounted))


def _undo(
    release: Release, changes: tuple[Change, ...], observation: Observation, previous: Receipt | None
) -> tuple[Operation, ...]:
    """Return the operations that take the step back, in their order.

    Created services are removed, and the previous release is brought up by its own files. In the end all files are as
    the plan found them. Without a previous release, created networks are removed instead.
    """
    created = tuple(c.service for c in changes if c.action is Action.CREATE)
    gone = (_removal(release, created),) if created else ()
    if previous is None:
        return (*gone, *_created_networks(release, observation), *_as_found(release, observation, None))
    images = _images_to_return(release, changes, previous)
    tags = tuple(Run(("docker", "tag", "--", i.id, i.ref), SHORT_TIMEOUT) for i in images if "@" not in i.ref)
    files = _previous_files(release, previous)
    ups = _previous_ups(release, changes, previous, alone=_has_newer_file(release, observation, previous))
    found, own = _as_found(release, observation, previous), {file.path for file in previous.files}
    strange = (each for each in found if each.path not in own)  # before `up`: a service may read a whole folder then
    return (*gone, *files, *strange, *tags, *ups, *(each for each in found if each.path in own))


def _images_to_return(release: Release, changes: tuple[Change, ...], previous: Receipt) -> Iterator[PlannedImage]:
    """Yield the previous release's images whose references are to be set back.

    One that only containers use which stay is left out: their own module may have brought a newer image by that name.
    """
    refs = {c.service: release.compose.services[c.service].image for c in changes}
    stays = {refs[change.service] for change in changes if change.keeps_container}
    returning = {refs[change.service] for change in changes if not change.keeps_container}
    return (image for image in previous.images if image.ref not in stays - returning)


def _removal(release: Release, services: tuple[str, ...]) -> Run:
    """Return the command that removes the services' containers.

    It finds them by label: the compose file may not have been placed, and without it Compose can remove nothing.
    """
    project = release.module.runtime.project
    return Run(("sh", "-c", _REMOVE, "rm-services", project, *services), release.host.timeouts.step)


def _previous_files(release: Release, previous: Receipt) -> tuple[Place, ...]:
    """Return the files of the previous release that this one lacks or has otherwise.

    They may differ from the files found: another module that shares the compose file may have brought newer ones.
    """
    now = {file.path: (file.digest, file.mode) for file in release.files}
    files = (file for file in previous.files if not is_own(file.path))
    return tuple(Place(f.path, f.digest, f.mode) for f in files if now.get(f.path) != (f.digest, f.mode))


def _as_found(release: Release, observation: Observation, previous: Receipt | None) -> tuple[Remove | Place, ...]:
    """Return what puts files back as this plan found them.

    Left out are files that already are so when the previous release's files, or else this one's, are in their place.
    """
    there = {file.path: (file.digest, file.mode) for file in release.files}
    there.update({file.path: (file.digest, file.mode) for file in (previous.files if previous else ())})
    return tuple(
        Place(seen.path, seen.digest, seen.mode or 0o644) if seen.digest else Remove(seen.path)
        for seen in observation.files
        if there.get(seen.path) != (seen.digest, seen.mode)
    )


def _created_networks(release: Release, observation: Observation) -> tuple[Run, ...]:
    """Return the command that removes the networks this release makes, none if all exist; one in use by then stays."""
    names = {name for kind, name in resources.made_with(release) if kind == "network"}
    new = sorted(names - {network.name for network in observation.networks})
    return (Run(("sh", "-c", _REMOVE_NETWORKS, "rm-networks", *new), SHORT_TIMEOUT),) if new else ()


def _has_newer_file(release: Release, observation: Observation, previous: Receipt) -> bool:
    """Whether the compose file found is not the previous release's: another module that shares it brought this one."""
    path = release.module.runtime.compose_file
    seen = {file.path: file.digest for file in observation.files}
    return any(file.path == path and file.digest != seen.get(path) for file in previous.files)


def _previous_ups(release: Release, changes: tuple[Change, ...], previous: Receipt, *, alone: bool) -> tuple[Run, ...]:
    """Return the recorded `up` of the previous release, for the main service and those that need their own.

    The service of a job is made without being run again; those it needs run. With `alone`, recreated services are
    brought up without those they need, and started ones are left out: the older file would make them older too. Compose
    hashes a service otherwise without those it needs, so the next plan recreates it.
    """
    main = release.module.runtime.compose_service
    touched = {c.service for c in changes if c.action.touches_container}
    if not touched:
        return ()
    forced = {c.service for c in changes if _UNSEEN.intersection(c.causes) and c.action is not Action.UPDATE}
    is_job = release.module.kind is ModuleKind.JOB
    started = {c.service for c in changes if c.action is Action.START}
    besides = touched - started if alone else touched if is_job else forced
    services = [s for s in previous.closure if s == main or s in besides]
    flags = {s: (*["--no-deps"] * alone, *["--force-recreate"] * (s in forced)) for s in services}
    ups = (Run(_up_of(up.argv, s, flags[s]), up.timeout) for up in previous.up for s in services)
    return tuple(Run(_without_start(up.argv), up.timeout) if is_job and up.argv[-1] == main else up for up in ups)


def _up_of(argv: tuple[str, ...], service: str, flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return a recorded `up` with further flags, for another one of the release's services."""
    at = argv.index("--", argv.index("up"))
    return (*argv[:at], *flags, "--", service)


def _without_start(argv: tuple[str, ...]) -> tuple[str, ...]:
    at = argv.index("-d", argv.index("up"))
    return (*argv[:at], "--no-start", *argv[at + 1 :])
