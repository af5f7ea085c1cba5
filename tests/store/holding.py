"""Who has the lock of a host, who is refused it, and a step under it, each as a real process."""

import subprocess

import pytest

from platformctl.errors import Locked
from platformctl.store import host_lock
from platformctl.store.host import HostLayout
from platformctl.store.host_lock import Guarded
from tests.store.hosts import OWNER, ask, first_line, run, started
from tests.store.samples import HOST

NONCE = "5d41402abc4b2a76"


def held(process: subprocess.Popen[bytes]) -> int:
    return host_lock.read_hold(first_line(process), HOST)


def step(layout: HostLayout, token: int, *argv: str, limit: int = 30, kill_after: int = 10) -> Guarded:
    command = host_lock.guarded(layout, token, argv, nonce=NONCE, limit=limit, step_wait=0, kill_after=kill_after)
    return host_lock.read_guarded(run(command), NONCE)


def refused(layout: HostLayout) -> Locked:
    with started(host_lock.hold_lock(layout, OWNER, step_wait=0)) as second:
        with pytest.raises(Locked) as caught:
            held(second)
        assert second.wait() == 75
    return caught.value


def not_ours(layout: HostLayout, token: int) -> bool:
    with pytest.raises(Locked) as caught:
        ask(host_lock.still_held(layout, token))
    return caught.value.summary == "the lock is no longer ours"
