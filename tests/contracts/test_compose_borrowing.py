"""Services that borrow from others: their hashes are asked for with the ids that `up` puts in."""

from pathlib import Path

import pytest

from platformctl.drivers.compose_borrowing import NOTHING, borrowed, lenders_of
from platformctl.errors import InvalidInput
from platformctl.model.names import ServiceName
from tests.contracts.compose_driver import DRIVER, WEB, docker, observe, release_in, root, running
from tests.contracts.compose_host import FakeDocker
from tests.contracts.releases import a_release

__all__ = ["docker", "root"]

LENDERS = "ps -a --no-trunc --filter label=com.docker.compose.project=shop --filter label=com.docker.compose.service=db"
BORROWING = """services:
  web: {image: 'web:1', network_mode: 'service:db', volumes_from: ['db:ro', 'container:other']}
  db: {image: 'web:1'}
  alone: {image: 'web:1', ipc: shareable, pid: host}
"""


def test_hashes_of_borrowers_are_asked_for_with_the_ids_that_up_puts_in(docker: FakeDocker, root: Path) -> None:
    running(docker).says(LENDERS, b"shop-db-2 " + b"2" * 64 + b"\nshop-db-1 " + b"1" * 64 + b"\n")
    docker.says("compose -p", b"web %s\ndb %s\n" % (b"a" * 64, b"b" * 64))
    observe(docker, release_in(root, BORROWING))
    *_, first, second = sorted((words for words in docker.asked if words.startswith("compose")), key=len)

    assert first.endswith("compose.yaml config")
    assert "-f - -f " in second
    assert second.endswith("/lent.yaml config --no-normalize --no-consistency --hash *")


def test_what_compose_did_not_complete_is_not_hashed(docker: FakeDocker, root: Path) -> None:
    """Compose hashes the second half of a pipe by itself, whatever became of the first (seen with 2.26.1)."""
    running(docker).says(LENDERS, b"shop-db-1 " + b"1" * 64 + b"\n")
    (docker.here / "bin/docker").rename(docker.here / "bin/told")
    docker.program("docker", '#!/bin/sh\ncase "$*" in *" config") exit 15 ;; *) exec told "$@" ;; esac\n')
    with pytest.raises(InvalidInput):
        observe(docker, release_in(root, BORROWING))


def test_ids_of_lenders_come_in_the_place_of_their_names() -> None:
    release = a_release(BORROWING)

    assert borrowed(release) == (
        'services:\n  "web": {"network_mode": "container:@db@", "volumes_from": !override ["@db@", "other"]}\n'
    )
    assert (DRIVER.borrowers(release, ServiceName("db")), lenders_of(release)) == (("web",), ("db",))


def test_a_container_that_the_file_names_itself_is_hashed_by_its_bare_name(docker: FakeDocker, root: Path) -> None:
    theirs = "services: {web: {image: 'web:1', volumes_from: ['container:theirs:ro']}}"
    docker.says("compose -p", b"web %s\n" % (b"a" * 64))
    observe(running(docker), release_in(root, theirs))

    assert borrowed(a_release(theirs)) == 'services:\n  "web": {"volumes_from": !override ["theirs"]}\n'
    assert [
        words for words in docker.asked if words.endswith("/lent.yaml config --no-normalize --no-consistency --hash *")
    ]


def test_a_release_where_nobody_borrows_puts_nothing_in() -> None:
    assert borrowed(a_release(WEB)) == NOTHING
