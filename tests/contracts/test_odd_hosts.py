"""Hosts that answer as no good host does: nothing hangs, and nothing that was not seen counts as seen."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from platformctl.errors import OutcomeUnknown, Unreachable
from platformctl.model.command import Command
from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from tests.contracts.odd_host import OddHost
from tests.contracts.reach import Reach, each_way


@contextmanager
def greeting_with(words: bytes) -> Iterator[HostEntry]:
    """A port where the first thing said is `words` and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        met: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    met.append(listener.accept()[0])
                    met[-1].sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield HostEntry(
            name=HostName("mute"),
            transport="ssh",
            root="/opt/platform",
            address="127.0.0.1",
            port=listener.getsockname()[1],
            user="agent",
            host_key=("SHA256:" + "A" * 43,),
            machine_id="unused",
        )
        listener.shutdown(socket.SHUT_RDWR)
        for connection in met:
            connection.close()


@each_way
@pytest.mark.parametrize("words", [b"", b"SSH-2.0-slow\r\n", b"welcome\r\n" * 3])
def test_a_host_that_falls_silent_while_greeting_is_unreachable_in_time(reach: Reach, words: bytes) -> None:
    begun = time.monotonic()
    with greeting_with(words) as entry, pytest.raises(Unreachable) as caught:
        reach(entry, {}, timeout=1).run(Command(("true",)))

    assert "no answer in time" in caught.value.detail
    assert time.monotonic() - begun < 20


@each_way
@pytest.mark.parametrize(
    "words", [b"SSH-1.5-old\r\n", b"SSH-2.0-odd\r\n" + b"\xff" * 64, b"SSH-2.0-\x1b[31m\r\n\x00\x00\x00\x0c"]
)
def test_a_port_that_speaks_something_else_is_unreachable_in_our_own_words(reach: Reach, words: bytes) -> None:
    with greeting_with(words) as entry, pytest.raises(Unreachable) as caught:
        reach(entry, {}, timeout=0.3).run(Command(("true",)))
    assert "\x1b" not in caught.value.detail


@each_way
def test_a_connection_lost_in_the_middle_of_a_command_leaves_its_outcome_unknown(reach: Reach, odd: OddHost) -> None:
    with reach(odd.entry, odd.environment) as transport, pytest.raises(OutcomeUnknown) as caught:
        transport.run(Command(("lose-connection",)))

    assert odd.commands == ["lose-connection"]
    assert "half an ans" not in f"{caught.value} {caught.value.detail}"


@each_way
def test_after_a_lost_connection_the_next_command_finds_a_new_one(reach: Reach, odd: OddHost) -> None:
    with reach(odd.entry, odd.environment) as transport:
        with pytest.raises(OutcomeUnknown):
            transport.run(Command(("lose-connection",)))
        assert transport.run(Command(("anything",))).status == 0

    assert odd.commands == ["lose-connection", "anything"]


@each_way
@pytest.mark.parametrize("word", ["no-status", "signal"])
def test_an_end_without_a_status_is_unknown_at_once(reach: Reach, odd: OddHost, word: str) -> None:
    begun = time.monotonic()
    with reach(odd.entry, odd.environment) as transport, pytest.raises(OutcomeUnknown):
        transport.run(Command((word,)))
    assert time.monotonic() - begun < 20


@each_way
def test_a_server_that_never_confirms_a_request_is_left_at_the_deadline(reach: Reach, odd: OddHost) -> None:
    begun = time.monotonic()
    with reach(odd.entry, odd.environment) as transport, pytest.raises(OutcomeUnknown):
        transport.run(Command(("never-answer",), b"x" * 20_000_000, timeout=0.3))
    assert time.monotonic() - begun < 20


@each_way
def test_the_beat_of_a_lost_connection_fails(reach: Reach, odd: OddHost) -> None:
    with reach(odd.entry, odd.environment) as transport:
        held = transport.hold(Command(("lose-connection",)))
        assert held.answer(30) == ""
        assert not held.beat()
        held.release()


@each_way
def test_a_server_that_can_open_no_session_was_sent_nothing(reach: Reach, odd: OddHost) -> None:
    with reach(odd.entry, odd.environment, timeout=3) as transport:
        transport.run(Command(("anything",)))
        with pytest.raises(OutcomeUnknown):
            transport.run(Command(("never-answer",), timeout=0.1))
        with pytest.raises(Unreachable):
            transport.run(Command(("too-late",), mutates=True))

    assert odd.commands == ["anything", "never-answer"]
