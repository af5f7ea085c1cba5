"""Docker Compose: the words it is told, and what its containers look like from outside.

Exit statuses and progress output of Compose are never the verdict; ids, labels and states are (facts of Compose 2.26:
`up -d` exits 0 for a container that dies at once). Nothing here runs anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from platformctl.drivers import compose_resources as resources
from platformctl.drivers.compose_borrowing import from_others, lenders
from platformctl.drivers.compose_dependents import dependents, number_of
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
"""What a release brings to a container and Compose's hash does not tell, on the way back neither."""

_READS_FEWER = (2, 27, 0)
"""Up to 2.26 Compose was seen to read env files that it does not need; where a later one ends that, apply tells."""
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

    What speaks to a host and reads its answers is imported with the first such word: a plan offline does without.
    """

    name = "docker-compose"
    version = "1"

    def identify(self, *, version: bool = False) -> Command:
        """Ask user, machine id, clock and engine id; Compose's own version takes a run of it."""
        from platformctl.drivers.compose_questions import identify

        return Command(identify(version=version), timeout=90)

    def read_identity(self, answer: Completed, entry: HostEntry) -> Identity:
        """Raises `Unreachable` when the engine or Compose v2 does not answer; the reason says which."""
        from platformctl.drivers.compose_answers import identity

        return identity(answer.stdout, entry)

    def look(self, questions: Sequence[Question], identity: Identity) -> Command:
        """One question for containers, files, images, networks, volumes, and the hashes of desired services."""
        from platformctl.drivers.compose_look import look

        hashes = any(question.hashes for question in questions)
        return look(questions, version=hashes and not identity.compose_version)

    def read_look(
        self, answer: Completed, questions: Sequence[Question], identity: Identity, at: str
    ) -> tuple[Observation | Refusal, ...]:
        """`InvalidInput` where Compose does not accept a release, `PolicyViolation` where its env.file is missing."""
        from platformctl.drivers.compose_observations import observations

        return observations(answer.stdout, questions, identity, at)

    def foresee(self, release: Release, seen: Observation, before: Preceding) -> Observation:
        """Files, images, and in the same project containers, networks and volumes that the plan before brings."""
        from platformctl.drivers.compose_foresight import foreseen

        return foreseen(release, seen, before, self.one_shots(before.release))

    def stands_alone(self, release: Release) -> bool:
        """No network or volume by a name that others may give, and no part of a container that is not its own."""
        return resources.are_own(release) and not from_others(release)

    def watch(self, release_project: str) -> Command:
        """Ask how the project's containers are now."""
        from platformctl.drivers.compose_questions import watch

        return Command(watch(release_project), timeout=30, terse=True)

    def read_watch(self, answer: Completed, entry: HostEntry) -> tuple[Container, ...]:
        """The project's containers; raises `Unreachable` for garbage or a silent engine."""
        from platformctl.drivers.compose_answers import containers

        return containers(answer, entry)

    def watch_whole(self, release_project: str) -> Command:
        """Ask how the project's containers are now, and for its networks and volumes."""
        from platformctl.drivers.compose_questions import watch_whole

        return Command(watch_whole(release_project), timeout=30, terse=True)

    def read_whole(self, answer: Completed, entry: HostEntry) -> ProjectSeen:
        """As `read_watch`, with networks and volumes by Compose's own labels: others are nobody's plan's."""
        from platformctl.drivers.compose_answers import whole

        return whole(answer, entry)

    def survey(self) -> Command:
        """Ask for everything on the host that Compose made."""
        from platformctl.drivers.compose_questions import watch

        return Command(watch(None), timeout=60)

    def logs(self, container: Container) -> Command:
        """The last lines a container wrote."""
        return Command(("docker", "logs", "--tail", "20", "--", container.id), timeout=20)

    def fetch(self, image: PlannedImage) -> Command:
        """Pull by digest, so that no moved tag can slip in; the tag is set by a step of the plan."""
        return Command(("docker", "pull", "--quiet", "--", image.digest or image.ref), timeout=600, mutates=True)

    def has(self, image: PlannedImage) -> Command:
        """Ask for the image by its id: what was pulled is what was planned, or the host does not know it."""
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
        """Raises `Unreachable` for garbage or a silent engine."""
        from platformctl.drivers.compose_answers import kept

        return kept(answer, entry)

    def removal(
        self, release: Release, changes: tuple[Change, ...], observation: Observation, current: Receipt
    ) -> tuple[Step, ...]:
        """One step: `rm -s -f` of the services that go; its undo: the recorded up."""

        def undo(touched: tuple[Change, ...], previous: Receipt) -> tuple[Run, ...]:
            return _previous_ups(release, touched, previous, alone=False)

        return removal_step(release, changes, observation, current, timeout=release.host.timeouts.step, undo=undo)

    def dependents(self, release: Release, service: ServiceName, version: str) -> Mapping[ServiceName, Action]:
        """Compose recreates them, starts them again, or only those that ask for it, by its version."""
        return dependents(release, service, version)

    def borrowers(self, release: Release, service: ServiceName) -> tuple[ServiceName, ...]:
        """Services that have the id of `service`'s container in their own definition."""
        return tuple(name for name in release.closure if service in lenders(release.compose.services[name]))

    def one_shots(self, release: Release) -> frozenset[ServiceName]:
        """The service of a job, and whatever another one waits for with `service_completed_successfully`."""
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
        """Restart policy, limits, capabilities and networks, as the definition asks for them and as they are."""
        return resources.drift(release, observation, container)

    def lost_networks(self, release: Release, observation: Observation, container: Container) -> tuple[str, ...]:
        """Compose leaves a container that runs in another network, and can not start one whose network is gone."""
        return resources.lost_networks(release, observation, container)

    def other_volumes(self, release: Release, container: Container) -> tuple[tuple[str, str], ...]:
        """Compose 2.26 leaves a container with the volumes it has, whatever they are called by now."""
        return resources.other_volumes(release, container)

    def makes(self, release: Release) -> frozenset[str]:
        """Those that are the project's own, of the file's other services too."""
        return frozenset(f"{kind} {name}" for kind, name in resources.made_with(release))

    def new_volumes(self, release: Release, observation: Observation, service: ServiceName) -> tuple[str, ...]:
        """Volumes that are not there and will be empty."""
        there = {volume.name for volume in observation.volumes}
        declared = resources.volumes(release, service)
        return tuple(name for name in sorted(declared) if resources.is_own(declared[name]) and name not in there)

    def contradictions(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Networks and volumes that are there with another definition: Compose 2.26 leaves them, newer ones do not."""
        return resources.contradictions(release, observation)

    def leading_out(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """External volumes and those with a name of their own: what they mount stands in no file."""
        return resources.leading_out(release, observation)

    def project_of(self, receipt: Receipt) -> str:
        """As the words say that brought it up."""
        words = receipt.up[0].argv
        return words[words.index("-p") + 1]

    def absent(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """What is `external` in the file and not on the host: `up` ends there, whatever else it was to do."""
        return resources.absent(release, observation)

    def unreadable(self, release: Release, observation: Observation) -> tuple[str, ...]:
        """Compose 2.26 reads the env files of all services before it does anything, 5.6 of those alone it brings up."""
        reads_all = (2,) <= number_of(observation.identity.compose_version) < _READS_FEWER
        return tuple(path for path in release.read_beside if reads_all and path in observation.lacking)

    def bring_up(self, release: Release) -> tuple[Run, ...]:
        """`docker compose … up -d --no-build --pull never -- <service>` with everything spelled out."""
        return (_up(release, release.module.runtime.compose_service, force=False),)

    def spoken(self, run: Run) -> tuple[str, ...]:
        """docker itself would start twice and ask Compose what it is before it runs it."""
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
        """One step: tags, files, up; its undo: what was created goes, files and tags come back, the old up runs."""
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
    """The words before the verb; the same for hashes and for up, or the hashes would not be those of up."""
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
    """Up of the service; before it, one forced up for each service whose mounted files changed and nothing else.

    Compose sees no change in a mounted file's contents (compose#11900), and forcing the main service does not force
    what it depends on. None at all where files change and no container.
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
    """Point references at the planned images where the host's tags point elsewhere."""
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
    """What was created goes, and what was before comes back: containers by the previous release's own files."""
    created = tuple(c.service for c in changes if c.action is Action.CREATE)
    gone = (_removal(release, created),) if created else ()
    if previous is None:
        return (*gone, *_created_networks(release, observation), *_as_found(release, observation, None))
    images = _images_to_return(release, changes, previous)
    tags = tuple(Run(("docker", "tag", "--", i.id, i.ref), SHORT_TIMEOUT) for i in images if "@" not in i.ref)
    files = _previous_files(release, previous)
    ups = _previous_ups(release, changes, previous, alone=_has_newer_file(release, observation, previous))
    found, own = _as_found(release, observation, previous), {file.path for file in previous.files}
    strange = (each for each in found if each.path not in own)  # a service may read all of a folder when it starts
    return (*gone, *files, *strange, *tags, *ups, *(each for each in found if each.path in own))


def _images_to_return(release: Release, changes: tuple[Change, ...], previous: Receipt) -> Iterator[PlannedImage]:
    """Those that nothing goes by which stays: its own module may have brought a newer one by the same name."""
    refs = {c.service: release.compose.services[c.service].image for c in changes}
    stays = {refs[change.service] for change in changes if change.keeps_container}
    returning = {refs[change.service] for change in changes if not change.keeps_container}
    return (image for image in previous.images if image.ref not in stays - returning)


def _removal(release: Release, services: tuple[str, ...]) -> Run:
    """By label, as the compose file may not have come to its place: no file, nothing that Compose could remove."""
    project = release.module.runtime.project
    return Run(("sh", "-c", _REMOVE, "rm-services", project, *services), release.host.timeouts.step)


def _previous_files(release: Release, previous: Receipt) -> tuple[Place, ...]:
    """Files of the previous release where this one has others.

    They need not be the ones that were found: another module of the same compose file may have brought newer ones.
    """
    now = {file.path: (file.digest, file.mode) for file in release.files}
    files = (file for file in previous.files if not is_own(file.path))
    return tuple(Place(f.path, f.digest, f.mode) for f in files if now.get(f.path) != (f.digest, f.mode))


def _as_found(release: Release, observation: Observation, previous: Receipt | None) -> tuple[Remove | Place, ...]:
    """The files as this plan found them, where after all else ours or the previous release's are in their place."""
    there = {file.path: (file.digest, file.mode) for file in release.files}
    there.update({file.path: (file.digest, file.mode) for file in (previous.files if previous else ())})
    return tuple(
        Place(seen.path, seen.digest, seen.mode or 0o644) if seen.digest else Remove(seen.path)
        for seen in observation.files
        if there.get(seen.path) != (seen.digest, seen.mode)
    )


def _created_networks(release: Release, observation: Observation) -> tuple[Run, ...]:
    """Networks that are made and not there yet; one that something else uses by then stays."""
    names = {name for kind, name in resources.made_with(release) if kind == "network"}
    new = sorted(names - {network.name for network in observation.networks})
    return (Run(("sh", "-c", _REMOVE_NETWORKS, "rm-networks", *new), SHORT_TIMEOUT),) if new else ()


def _has_newer_file(release: Release, observation: Observation, previous: Receipt) -> bool:
    """Whether the compose file found is not the previous release's: another module that shares it brought this one."""
    path = release.module.runtime.compose_file
    seen = {file.path: file.digest for file in observation.files}
    return any(file.path == path and file.digest != seen.get(path) for file in previous.files)


def _previous_ups(release: Release, changes: tuple[Change, ...], previous: Receipt, *, alone: bool) -> tuple[Run, ...]:
    """The recorded words of the previous release. A job is put back without being run again, what it needs runs.

    With `alone` each service that was made anew is brought up without those it needs: by the older file they would be
    made older too, as would one that was only started. Compose then hashes it otherwise: the next plan recreates it.
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
    """An up of a recorded release, for one of its services."""
    at = argv.index("--", argv.index("up"))
    return (*argv[:at], *flags, "--", service)


def _without_start(argv: tuple[str, ...]) -> tuple[str, ...]:
    at = argv.index("-d", argv.index("up"))
    return (*argv[:at], "--no-start", *argv[at + 1 :])
