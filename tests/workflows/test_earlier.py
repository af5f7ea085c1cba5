"""The release that a plan replaces is read with all that decides it, or not at all, however many files have changed."""

import os
from dataclasses import replace
from pathlib import Path
from random import Random

from platformctl.model.desired import Environment, Release
from platformctl.model.names import Digest, ServiceName, VariableName
from platformctl.model.observed import Observation
from platformctl.model.plan import is_own
from platformctl.store.host_files import stage
from platformctl.transports.local import LocalTransport
from platformctl.workflows.earlier import with_earlier
from tests.contracts.releases import HOST, a_release
from tests.planning.running_host import running
from tests.planning.test_removal import record_of
from tests.store.hosts import ask, prepared

COMPOSE = "services: {web: {image: 'web:${TAG}', volumes: ['./conf:/conf:ro']}}\n# %s\n"


def release_of(version: str, tag: str, files: int, size: int = 64) -> Release:
    random = Random(version)
    conf = {f"conf/{number}": random.randbytes(size) for number in range(files)}
    return a_release(COMPOSE % version, files=conf, environment=Environment(set={VariableName("TAG"): tag}))


def seen_before(folder: Path, files: int, size: int = 64, forgotten: tuple[Digest, ...] = ()) -> Observation:
    """What is known of version 1 where version 2 is wanted, on a host that has kept version 1 but what is forgotten."""
    layout, then, now = prepared(folder), release_of("1", "1.1", files, size), release_of("2", "2.2", files, size)
    ask(stage(layout, (file.content for file in then.files if file.digest not in forgotten)))
    host = running(COMPOSE % "1")
    entry = replace(HOST, transport="local", root=layout.root, allow_root=True)
    with LocalTransport(entry, os.environ) as transport:
        record = record_of(replace(host, release=then))
        (seen,) = with_earlier(transport, ((now, record, host.observation),), {})
    return seen


def test_of_very_many_changed_files_those_that_decide_the_release_are_known(tmp_path: Path) -> None:
    """What is set for its variables stands behind all other files of a release."""
    earlier = seen_before(tmp_path, 70).earlier

    assert earlier is not None
    assert earlier.compose.services[ServiceName("web")].image == "web:1.1"
    assert len(earlier.contents.keys() & {file.digest for file in release_of("1", "1.1", 70).files}) == 64


def test_very_many_large_files_fit_into_the_answers(tmp_path: Path) -> None:
    earlier = seen_before(tmp_path, 40, 250_000).earlier

    assert earlier is not None
    assert {file.digest for file in release_of("1", "1.1", 40, 250_000).files} <= earlier.contents.keys()


def test_a_release_is_not_read_where_what_was_set_for_it_is_gone(tmp_path: Path) -> None:
    """Its fields would be told as other ones than they were."""
    own = tuple(file.digest for file in release_of("1", "1.1", 1).files if is_own(file.path))

    assert seen_before(tmp_path, 1, forgotten=own).earlier is None
