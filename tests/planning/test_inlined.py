"""Configs whose content stands in the compose file: no hash covers it, and no container says what it holds."""

from dataclasses import replace

import pytest

from platformctl.model.desired import Module, Release
from platformctl.model.names import Digest
from platformctl.model.plan import Action, Cause
from platformctl.model.state import HostRecord, Receipt, RunningContainer, SignedReceipt
from tests.contracts.releases import MODULE, a_release
from tests.planning.running_host import IGNORING, Host, hash_of, running
from tests.planning.test_fields import keeping
from tests.planning.test_removal import record_of

COMPOSE = """
services:
  web: {{image: 'web:1', configs: [page, plain], depends_on: [db]}}
  db: {{image: 'db:1'}}
configs: {{page: {{content: '{page}'}}, plain: {{content: same}}}}
"""
ONE, TWO = COMPOSE.format(page="one"), COMPOSE.format(page="two")


def attempted(record: HostRecord, release: Release, outcome: str) -> HostRecord:
    """The same, with an apply of another release after it."""
    signed = record.receipts[-1]
    receipt: Receipt = replace(signed.receipt, outcome=outcome, desired=release.digest, containers=())
    return replace(record, receipts=(signed, SignedReceipt(receipt, "")))


def applied(host: Host) -> HostRecord:
    """A host's record that names the container of web which is there."""
    return record_of(host, containers=(RunningContainer("web", hash_of("id of web"), Digest.of(b"")),))


@pytest.mark.parametrize("module", [MODULE, IGNORING], ids=["recreate", "ignore"])
def test_another_content_makes_a_new_container_by_force(module: Module) -> None:
    host = keeping(running(ONE, module=module))
    changes = host.changes(a_release(TWO, module=module), applied(host))
    web = changes["web"]

    assert (web.action, web.causes, web.is_forced) == (Action.RECREATE, (Cause.FILE_CONTENT,), True)
    assert web.reason == "a file it uses differs: configs.page"
    assert ((web.before or {})["files"], (web.after or {})["files"]) == (
        {"configs.page": "one"},
        {"configs.page": "two"},
    )
    assert changes["db"].action is Action.KEEP


def test_the_content_that_was_applied_is_kept() -> None:
    host = running(ONE)

    assert host.changes(record=applied(host))["web"].action is Action.KEEP


def test_where_nobody_knows_what_was_before_each_content_counts_as_another_one() -> None:
    host = running(ONE)
    never_applied = host.changes()["web"]
    not_kept = host.changes(a_release(TWO), applied(host))["web"]

    assert never_applied.causes == not_kept.causes == (Cause.FILE_CONTENT,)
    assert not_kept.reason == "a file it uses differs: configs.page, configs.plain"


@pytest.mark.parametrize(
    ("outcome", "id_", "causes"),
    [
        ("UNHEALTHY", "made since", (Cause.FILE_CONTENT,)),
        ("UNHEALTHY", hash_of("id of web"), ()),
        ("ROLLED_BACK", "made since", ()),
        ("PREPARE_FAILED", hash_of("id of web"), ()),
    ],
)
def test_a_container_that_a_failed_apply_left_is_not_taken_for_the_recorded_one(
    outcome: str, id_: str, causes: tuple[Cause, ...]
) -> None:
    host = running(ONE)
    record = attempted(applied(host), a_release(TWO), outcome)

    assert host.with_container("web", id=id_).changes(record=record)["web"].causes == causes


def test_a_service_of_another_module_is_left_to_its_own_plan() -> None:
    host = keeping(running(ONE))
    changes = host.changes(a_release(TWO), applied(host), foreign=frozenset(host.release.closure))

    assert {change.action for change in changes.values()} == {Action.KEEP}
