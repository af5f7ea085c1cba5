"""The words of `docker compose up`: those that bring a release up, and those of a receipt that bring it back."""

from platformctl.drivers.compose_resources import project_folder
from platformctl.model.desired import ModuleKind, Release
from platformctl.model.names import ServiceName
from platformctl.model.plan import Action, Cause, Change, Run, is_own
from platformctl.model.state import Receipt

SHORT_TIMEOUT = 60
"""Seconds for a command that makes docker read or name something, and start nothing."""

_UNSEEN = frozenset({Cause.FILE_CONTENT, Cause.NETWORK, Cause.VOLUME})
"""Causes that Compose's hash does not cover, so that `up` must be forced for them, on the way back too."""


def bring_up(release: Release, service: ServiceName, *, force: bool) -> Run:
    """Return `docker compose … up -d --no-build --pull never -- <service>` with everything spelled out."""
    forced = ("--force-recreate",) if force else ()
    words = ("up", "-d", "--no-build", "--pull", "never", *forced, "--", service)
    return Run((*_prefix(release), *words), release.host.timeouts.step)


def bring_up_changed(release: Release, changes: tuple[Change, ...]) -> tuple[Run, ...]:
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
        *(bring_up(release, service, force=True) for service in forced if service != main),
        bring_up(release, main, force=main in forced),
    )


def bring_back(release: Release, changes: tuple[Change, ...], previous: Receipt, *, alone: bool) -> tuple[Run, ...]:
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


def _prefix(release: Release) -> tuple[str, ...]:
    """Return the words before the verb.

    A look gives Compose the same project, folder and env files, or its hashes would not be those of `up`.
    """
    root, module = release.host.root, release.module
    return (
        *("docker", "compose", "-f", f"{root}/{module.runtime.compose_file}", "-p", module.runtime.project),
        *("--project-directory", project_folder(release)),
        *("--env-file", f"{root}/{module.env.file}" if module.env.file else "/dev/null"),
        *(word for file in release.files if is_own(file.path) for word in ("--env-file", f"{root}/{file.path}")),
    )


def _up_of(argv: tuple[str, ...], service: str, flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return a recorded `up` with further flags, for another one of the release's services."""
    at = argv.index("--", argv.index("up"))
    return (*argv[:at], *flags, "--", service)


def _without_start(argv: tuple[str, ...]) -> tuple[str, ...]:
    at = argv.index("-d", argv.index("up"))
    return (*argv[:at], "--no-start", *argv[at + 1 :])
