"""Check hosts side by side: who answers, and whether the next apply and the way back would find the host ready.

Everything is bounded: each question has a timeout, and a silent host keeps no other waiting.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from platformctl import observing
from platformctl.errors import ExitCode, Refusal, Unreachable, worst
from platformctl.model.command import NO_ROOM, Command, require_room
from platformctl.model.desired import HostEntry, Module
from platformctl.model.names import Digest, HostName
from platformctl.model.observed import Identity
from platformctl.model.policy import TrustRoots
from platformctl.model.reports import Check, DoctorReport
from platformctl.releases.trees import CommitTree
from platformctl.store.host import HostLayout, probe, read_answer
from platformctl.store.host_lock import look_at_lock, read_lock_look
from platformctl.store.host_records import read_recall, recall
from platformctl.transports.interface import Transport
from platformctl.workflows.every_host import every_host
from platformctl.workflows.going_back import before
from platformctl.workflows.hosts import DRIVER, Answering
from platformctl.workflows.login import look_at_login
from platformctl.workflows.neighbours import Neighbours, Unreadable, neighbours
from platformctl.workflows.parts import Parts, keyring, require_host, trust_roots
from platformctl.workflows.records import remember

_LEAST_FREE = 1 << 20
"""Kilobytes of free space below which a disk gets a warning: 1 GiB."""
_TRIES_ROOM = rf"""
umask 077; work=$(mktemp -d 2>/dev/null) || exit {NO_ROOM}
trap 'rm -rf "$work"' EXIT
printf '%65536s' '' 2>/dev/null >"$work/room" || exit {NO_ROOM}
"""
"""What each look does first: it collects answers in files."""
_BY_HAND = "log in by hand as the agent: `true` must end at once there, and nothing else may be printed"
"""What is left to do where any other command would send people here."""
_AT_ONCE = 16
"""Hosts that are asked at the same time."""


def doctor(parts: Parts, names: tuple[str, ...]) -> DoctorReport:
    """Return every check of the named hosts, or of all, in that order; the exit code is that of the worst host."""
    roots = trust_roots(parts)
    named = tuple(require_host(roots, HostName.parse(name)) for name in names)
    entries = named or every_host(parts, roots) or tuple(roots.hosts.values())
    known = neighbours(CommitTree(parts.repository, parts.repository.head()))

    def examined(entry: HostEntry) -> tuple[ExitCode, Sequence[Check]]:
        mine = [each for each in known.values() if isinstance(each, Module) and each.host == entry.name]
        code, checks = _examined(parts, roots, entry, mine)
        return code, (*checks, *_unread(entry, known))

    with ThreadPoolExecutor(_AT_ONCE, "doctor") as pool:
        found = tuple(pool.map(examined, entries))
    code = worst(code for code, _ in found)
    checks = tuple(check for _, of_host in found for check in of_host)
    return DoctorReport(exit_code=code, status="failed" if code else "ok", checks=checks)


def _unread(entry: HostEntry, known: Neighbours) -> Iterator[Check]:
    """Yield a warning for each module that can not be read: it may be of this host, and was not checked."""
    for name, each in known.items():
        if isinstance(each, Unreadable):
            why = f"{each.refusal.summary}: {each.refusal.detail}".removesuffix(": ")
            yield Check(entry.name, f"manifest of {name}", "warn", why, each.refusal.hint or "platformctl validate")


def _examined(
    parts: Parts, roots: TrustRoots, entry: HostEntry, modules: Sequence[Module]
) -> tuple[ExitCode, Sequence[Check]]:
    """Return the exit code and the checks of one host.

    Only a question that could not be asked, or a state in which an apply could not work, fails; it also ends the
    checks.
    """
    checks: list[Check] = []
    try:
        checks.extend(_checks(parts, roots, entry, modules))
    except Refusal as refusal:
        words = f"{refusal.summary}: {refusal.detail}".removesuffix(": ")
        hint = _BY_HAND if refusal.hint.startswith("platformctl doctor") else refusal.hint
        checks.append(Check(entry.name, refusal.reason or "identity", "fail", words, hint))
        return refusal.exit_code, checks
    return ExitCode.UNREACHABLE if any(check.level == "fail" for check in checks) else ExitCode.NO_CHANGES, checks


def _checks(parts: Parts, roots: TrustRoots, entry: HostEntry, modules: Sequence[Module]) -> Iterator[Check]:
    driver = parts.driver_for(DRIVER)
    with Answering(parts.reach(entry)) as transport:
        yield (login := look_at_login(transport))
        if login.level == "fail":
            return
        now = parts.clock.now().timestamp()
        who = observing.identify(transport, driver, now=now, version=True)
        yield Check(entry.name, "identity", "ok", f"{who.user} (uid {who.uid}), machine {who.machine_id[:12]}")
        yield Check(entry.name, "engine", "ok", f"Docker {who.engine_version}, Compose {who.compose_version}")
        yield Check(entry.name, "clock", "ok", f"{int(who.clock - now)} s from here")
        yield _disk(transport, entry)
        yield from _journal_and_lock(transport, entry)
        listed = transport.run(driver.images())
        there: frozenset[Digest] | None = None
        try:
            there = driver.read_images(listed, entry)
        except Unreachable as refusal:
            found = f"images could not be listed: {refusal.summary}"
            yield Check(entry.name, "images", "warn", found, "look at the engine on the host, then doctor again")
        for module in modules:
            yield from _ways_back(parts, roots, transport, entry, module, there)
            if module.env.file is not None:
                yield _env_file(transport, entry, module, who)
        yield _root(transport, entry, who)


def _disk(transport: Transport, entry: HostEntry) -> Check:
    answer = transport.run(Command(("df", "-Pk", "--", entry.root), timeout=20))
    line = answer.text.splitlines()[-1].split() if answer.status == 0 else []
    if len(line) < 4 or not line[3].isdecimal():
        return Check(entry.name, "disk", "warn", f"df does not say how much is free for {entry.root}")
    free = int(line[3])
    return Check(
        entry.name, "disk", "ok" if free > _LEAST_FREE else "warn", f"{free >> 10} MiB free", "free some space"
    )


def _root(transport: Transport, entry: HostEntry, who: Identity) -> Check:
    """Return whether the root can be written. Raises what would keep an apply from writing there, or beside it."""
    require_room(transport.run(Command(("sh", "-c", _TRIES_ROOM), timeout=20)), entry.name)
    if read_answer(transport.run(probe(HostLayout(entry.root))), entry.name).word == "writable":
        return Check(entry.name, "root", "ok", f"{entry.root} can be written")
    found = f"{entry.root} can not be written: no folder of a new module can be made there"
    return Check(entry.name, "root", "warn", found, f"chown {who.user} {entry.root}")


def _journal_and_lock(transport: Transport, entry: HostEntry) -> Iterator[Check]:
    """Yield whether an apply is unsettled, and whether the host is locked: by hand, or by an apply that is at work.

    An apply at work has an open journal too. It is no case for `recover`, which would find the host locked.
    """
    layout = HostLayout(entry.root)
    owner = read_lock_look(transport.run(look_at_lock(layout)), entry.name)
    recalled = read_recall(transport.run(recall(layout)), entry.name)
    by_hand = recalled.manual_lock is not None
    if not recalled.journals:
        yield Check(entry.name, "journal", "ok", "nothing is unsettled")
    elif owner is not None and not by_hand:
        yield Check(entry.name, "journal", "ok", f"an apply is not settled yet: the host is {owner}")
    else:
        yield Check(entry.name, "journal", "warn", f"{len(recalled.journals)} apply unsettled", "platformctl recover")
    if owner is None:
        yield Check(entry.name, "lock", "ok", "free")
    else:
        hint = f"platformctl unlock {entry.name}" if by_hand else "wait for it to end"
        yield Check(entry.name, "lock", "warn", owner, hint)


def _ways_back(
    parts: Parts,
    roots: TrustRoots,
    transport: Transport,
    entry: HostEntry,
    module: Module,
    there: frozenset[Digest] | None,
) -> Iterator[Check]:
    """Yield whether the host still has the images of the running release and of the one before it.

    `docker image prune -a` removes even those that were named to be kept. Nothing is yielded if `there`, the ids of the
    host's images, is not known.
    """
    ring, now = keyring(parts, roots), parts.clock.now()
    record = remember(transport, HostLayout(entry.root), module.id, ring, now, whole=True).record
    if there is None:
        return
    previous = before(record)
    for release, what in ((record.current, "running"), (previous, "previous")):
        gone = [image.ref for image in release.images if image.id not in there] if release else []
        if gone:
            yield Check(
                entry.name,
                f"images of {module.id}",
                "warn",
                f"of the {what} release, not on the host any more: {', '.join(gone)}",
                "pull them, or the next failing apply has no way back; keep `docker image prune -a` off this host",
            )
            return
    if previous is not None:
        yield Check(entry.name, f"images of {module.id}", "ok", f"those of {previous.source_sha[:12]} are kept")


def _env_file(transport: Transport, entry: HostEntry, module: Module, who: Identity) -> Check:
    path = f"{entry.root}/{module.env.file}"
    answer = transport.run(Command(("stat", "-L", "-c", "%a %u", "--", path), timeout=20))
    name = f"env.file of {module.id}"
    if answer.status:
        return Check(entry.name, name, "warn", f"{path} is not there", "place it: owner the agent user, mode 0600")
    root, _, place = transport.run(Command(("realpath", "--", entry.root, path), timeout=20)).text.partition("\n")
    if not place.startswith(f"{root.rstrip('/')}/"):
        found = f"{path} is a link, or lies below one, that leads out of {entry.root}"
        return Check(entry.name, name, "warn", found, "place the file itself there: who can move the link decides")
    mode, _, owner = answer.text.strip().partition(" ")
    safe = mode in ("600", "400") and owner == str(who.uid)
    return Check(
        entry.name, name, "ok" if safe else "warn", f"mode {mode}, uid {owner}", f"chown {who.user} and chmod 600"
    )
