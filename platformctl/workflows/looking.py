"""Look at hosts: side by side, over one connection each, and at all modules of a host in one exchange.

After the handshake a host is asked three things: who it is, what it remembers, and what runs there. What it remembers
mostly says already what its orchestrator would compute, and then that is not asked. If something that this rests on
turns out to have changed, the module is looked at once more. Files of releases that are replaced are asked for too and,
where an env file differs, which of its variables differ.

A caller that can guess what the host remembers asks the last two in one exchange (ADR 0031). What was guessed wrong is
asked again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from platformctl import observing
from platformctl.drivers.interface import Driver, Question
from platformctl.errors import PolicyViolation, Refusal, or_raise
from platformctl.model.command import Completed
from platformctl.model.desired import Release
from platformctl.model.frozen import dataclass
from platformctl.model.names import Digest, HostName, ModuleId
from platformctl.model.observed import Observation
from platformctl.model.policy import TrustRoots
from platformctl.planning.settled import is_expected, known_version, settled
from platformctl.store.batch import CutShort, run_together
from platformctl.store.host import HostLayout
from platformctl.store.host_environment import fingerprints, read_fingerprints
from platformctl.store.host_files import read_recollected
from platformctl.store.host_records import recall
from platformctl.trust.keys import Keyring
from platformctl.workflows.earlier import recollecting, with_earlier
from platformctl.workflows.guess import Guess, Guesses
from platformctl.workflows.hosts import Hosts, Reached
from platformctl.workflows.parts import Parts, keyring, moment
from platformctl.workflows.records import Memory, memories_of, remember_each

_HOSTS = 32
"""How many hosts are looked at at the same time, of those that are reached."""


@dataclass(frozen=True)
class Seen:
    """What runs of a module on its host, and what the host remembers of it."""

    observation: Observation
    memory: Memory


@dataclass(frozen=True)
class _Ahead:
    """What came with the host's memory: the answer to `questions`, and contents of files.

    `version` is the orchestrator's version as it was guessed, empty if the host was asked for it.
    """

    questions: tuple[Question, ...]
    version: str
    answer: Completed
    contents: Mapping[Digest, bytes]


_Known = Mapping[ModuleId, tuple[Release, Memory]]
"""Releases by module, with what their host remembers of them."""


def look(
    parts: Parts, reached: Hosts, release: Release, roots: TrustRoots, guess: Guess | None = None
) -> tuple[Observation, Memory]:
    """Return what runs of one release on its host, and what the host remembers of it."""
    guesses = {release.module.id: guess} if guess else {}
    seen = or_raise(_look_at(parts, reached, (release,), roots, moment(parts.clock.now()), guesses)[0])
    return seen.observation, seen.memory


def look_at_all(
    parts: Parts, reached: Hosts, releases: Iterable[Release], roots: TrustRoots, guesses: Guesses
) -> Mapping[ModuleId, Seen | Refusal]:
    """Return what `look` would for many releases, or the refusal of each that can not be looked at.

    The answer does not depend on which host answers first.
    """
    at = moment(parts.clock.now())
    by_host: dict[tuple[HostName, str], list[Release]] = {}
    for release in releases:
        by_host.setdefault((release.host.name, release.module.runtime.orchestrator), []).append(release)

    def look_at(those: Sequence[Release]) -> tuple[Seen | Refusal, ...]:
        try:
            return _look_at(parts, reached, those, roots, at, guesses)
        except Refusal as refusal:
            return (refusal,) * len(those)

    for those in by_host.values():
        reached.begin(those[0].host, parts.driver_of(those[0].module))
    pool = ThreadPoolExecutor(_HOSTS, "look")
    try:
        seen = tuple(pool.map(look_at, by_host.values()))
    finally:  # an interrupt closes the connections, which ends the threads that still wait for an answer
        pool.shutdown(wait=False, cancel_futures=True)
    return {
        release.module.id: one
        for those, answers in zip(by_host.values(), seen, strict=True)
        for release, one in zip(those, answers, strict=True)
    }


def _look_at(
    parts: Parts, reached: Hosts, releases: Sequence[Release], roots: TrustRoots, at: str, guesses: Guesses
) -> tuple[Seen | Refusal, ...]:
    """Return what was seen of each of `releases`, all of one host, in the order given.

    Raises what keeps the host from saying anything at all.
    """
    host, driver = releases[0].host, parts.driver_of(releases[0].module)
    there = reached.reach(host, driver)
    modules = [release.module.id for release in releases]
    memories, ahead = _remembered(there, driver, releases, guesses, (keyring(parts, roots), parts.clock.now()))
    known = {
        release.module.id: (release, memory)
        for release, memory in zip(releases, memories, strict=True)
        if isinstance(memory, Memory)
    }
    version = known_version(there.identity, (memory.record.current for _, memory in known.values()))
    there = replace(there, identity=replace(there.identity, compose_version=version))
    if ahead is not None and known and ahead.version in ("", version):
        seen = _read(there, driver, ahead, known, at)
    else:
        seen = _ask(there, driver, known, at, trusting=True)
    rest = {name: pair for name, pair in known.items() if name not in seen}
    seen.update(_ask(there, driver, rest, at, trusting=False))
    _add_variables(there, known, seen)
    _add_earlier(there, known, seen, ahead.contents if ahead else {})
    refused = {name: memory for name, memory in zip(modules, memories, strict=True) if isinstance(memory, Refusal)}
    return tuple(refused.get(name) or seen[name] for name in modules)


def _remembered(
    there: Reached, driver: Driver, releases: Sequence[Release], guesses: Guesses, judged: tuple[Keyring, datetime]
) -> tuple[tuple[Memory | Refusal, ...], _Ahead | None]:
    """Return what the host remembers and, if there is a guess for every release, what came with it.

    The second is None if anything went wrong with it: the caller asks again, and finds out then.
    """
    layout, names = HostLayout(there.transport.entry.root), [release.module.id for release in releases]
    guessed = [guesses[name] for name in names if name in guesses]
    if len(guessed) < len(names):
        return remember_each(there.transport, layout, names, *judged), None
    questions = tuple(Question(r, hashes=guess.hashes) for r, guess in zip(releases, guessed, strict=True))
    versions = {guess.version for guess in guessed}
    version = versions.pop() if len(versions) == 1 else ""
    files = recollecting(layout.root, (file for guess in guessed for file in guess.files))
    look = driver.look(questions, replace(there.identity, compose_version=version))
    asked, host = (recall(layout, *names), look, *files), there.transport.entry.name
    try:
        answer, *rest = run_together(there.transport.run, asked, host, reading=True)
    except CutShort:
        answer, rest = None, []
    if answer is None or answer.truncated:  # ask for it alone: all of it did not fit into one answer
        return remember_each(there.transport, layout, names, *judged), None
    memories = memories_of(answer, host, names, *judged)
    if not rest or rest[0].status or rest[0].truncated:
        return memories, None
    contents = (read_recollected(each, host) for each in rest[1:] if not (each.status or each.truncated))
    return memories, _Ahead(questions, version, rest[0], {k: v for each in contents for k, v in each.items()})


def _ask(there: Reached, driver: Driver, known: _Known, at: str, *, trusting: bool) -> dict[ModuleId, Seen | Refusal]:
    """Ask for all that is known, and return what was seen of each.

    With `trusting`, hashes that a receipt should say are not asked; a module whose receipt does not say them is left
    out.
    """
    if not known:
        return {}
    questions = [
        Question(release, hashes=not (trusting and is_expected(release, there.identity, memory.record.current)))
        for release, memory in known.values()
    ]
    answers = observing.observe(there.transport, driver, questions, there.identity, at)
    return _of_each(driver, questions, answers, known)


def _read(there: Reached, driver: Driver, ahead: _Ahead, known: _Known, at: str) -> dict[ModuleId, Seen | Refusal]:
    """Return what was seen of each in the answer that came ahead.

    Hashes that a receipt may say are passed over here too, as in `_ask` with `trusting`.
    """

    def spared(name: ModuleId) -> bool:
        release, memory = known[name]
        return is_expected(release, there.identity, memory.record.current)

    names = [question.release.module.id for question in ahead.questions]
    questions = tuple(
        replace(question, hashes=question.hashes and not (name in known and spared(name)))
        for question, name in zip(ahead.questions, names, strict=True)
    )
    return _of_each(driver, questions, driver.read_look(ahead.answer, questions, there.identity, at), known)


def _of_each(
    driver: Driver, questions: Sequence[Question], answers: Sequence[Observation | Refusal], known: _Known
) -> dict[ModuleId, Seen | Refusal]:
    seen: dict[ModuleId, Seen | Refusal] = {}
    for question, answer in zip(questions, answers, strict=True):
        name, release = question.release.module.id, question.release
        if name not in known:
            continue
        if isinstance(answer, Refusal):
            seen[name] = answer
            continue
        memory = known[name][1]
        whole = answer if question.hashes else settled(release, answer, memory.record.current, driver)
        if whole is not None:
            seen[name] = _refusal_of(release, whole) or Seen(whole, memory)
    return seen


def _add_variables(there: Reached, known: _Known, seen: dict[ModuleId, Seen | Refusal]) -> None:
    """Add which values the env file has, by fingerprint: from the receipt if the file is the same, else asked."""
    for name, each in tuple(seen.items()):
        release, memory = known[name]
        if isinstance(each, Refusal) or release.module.env.file is None or each.observation.environment is None:
            continue
        made = memory.record.current.computed if memory.record.current else None
        if made is not None and made.environment == each.observation.environment:
            variables = made.variables
        else:
            command = fingerprints(HostLayout(release.host.root), release.module.env.file)
            variables = read_fingerprints(there.transport.run(command), release.host.name)
        seen[name] = replace(each, observation=replace(each.observation, variables=variables))


def _add_earlier(
    there: Reached, known: _Known, seen: dict[ModuleId, Seen | Refusal], contents: Mapping[Digest, bytes]
) -> None:
    """Add the earlier release where another one runs; some `contents` are known already."""
    whole = {name: each for name, each in seen.items() if isinstance(each, Seen)}
    looks = [(known[name][0], each.memory.record, each.observation) for name, each in whole.items()]
    for (name, each), observation in zip(whole.items(), with_earlier(there.transport, looks, contents), strict=True):
        seen[name] = replace(each, observation=observation)


def _wanted(release: Release, names: Iterable[str]) -> Iterator[str]:
    """Yield each variable, with who wants it."""
    for name in names:
        by_manifest = name in release.module.env.required
        yield f"{name} ({'spec.env.required' if by_manifest else 'in environment:, without a default'})"


def _refusal_of(release: Release, observation: Observation) -> Refusal | None:
    """Return what the variables on the host have against planning a release; None for a removal."""
    if release.gone:
        return None
    if observation.missing_variables:
        return PolicyViolation(
            "required variables are not set on the host",
            detail=f"{release.host.name}: {', '.join(_wanted(release, observation.missing_variables))}",
            hint=f"set them in {release.module.env.file or 'a file named by spec.env.file'} there, or in spec.env.set",
            file=release.module.path,
            host=release.host.name,
        )
    if observation.overriding_variables:
        return PolicyViolation(
            "the host's env file decides what was judged without it",
            detail=f"{release.host.name}: {', '.join(observation.overriding_variables)}, outside environment: values",
            hint="take them out of the host's file; variables of your own go into spec.env.set",
            reason="host-value",
            file=release.module.path,
            host=release.host.name,
        )
    return None
