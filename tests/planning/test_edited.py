"""A compose file that somebody edited on the host: no container shows it before the next `up`."""

from dataclasses import replace

from platformctl.model.desired import Delivery
from platformctl.model.names import Digest, ServiceName
from platformctl.model.plan import Action, Cause
from tests.contracts.releases import MODULE, a_release
from tests.planning.running_host import CONFIGURED, FILES, running
from tests.planning.test_removal import record_of


def test_a_compose_file_that_was_edited_on_the_host_is_put_right_and_no_container_touched() -> None:
    host = running(CONFIGURED, FILES)
    record = record_of(host)
    edited = host.with_file("compose.yaml", b"by hand")
    change = edited.changes(record=record)["web"]

    assert (change.action, change.causes) == (Action.UPDATE, (Cause.FILE_CONTENT,))
    assert change.reason == "a file it uses differs: modules/shop/compose.yaml"
    stopped = edited.with_container("web", state="exited").changes(record=record)["web"]
    assert (stopped.action, stopped.causes) == (Action.START, (Cause.FILE_CONTENT, Cause.UNHEALTHY))


def test_a_compose_file_of_before_and_one_that_another_module_brought_were_edited_by_nobody() -> None:
    host = running(CONFIGURED, FILES)
    with_comment = a_release(CONFIGURED + "  # more", files=FILES)
    newer = host.with_file("compose.yaml", b"newer")
    kept = replace(newer.observation, kept=frozenset({Digest.of(b"newer")}))
    alone, among_others = frozenset[ServiceName](), frozenset({ServiceName("of-another")})

    assert host.changes(with_comment, record_of(host))["web"].action is Action.KEEP
    assert replace(newer, observation=kept).changes(record=record_of(host), foreign=alone)["web"].causes
    assert not replace(newer, observation=kept).changes(record=record_of(host), foreign=among_others)["web"].causes


def test_a_compose_file_that_somebody_else_delivers_is_compared_by_the_apply_alone() -> None:
    host = running(CONFIGURED, FILES, replace(MODULE, delivery=Delivery.VERIFY))
    newer = host.with_file("compose.yaml", b"with another comment")

    assert newer.changes(record=record_of(host))["web"].action is Action.KEEP
