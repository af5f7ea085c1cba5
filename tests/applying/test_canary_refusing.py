"""The canary passes for nothing but the answer that was expected, and is over when it was said to be."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from platformctl.model.desired import Canary, ServedVersion
from platformctl.model.result import CanaryResult
from tests.applying.asking import ask, once
from tests.applying.web_server import Behaviour, FakeClock, Talk, answer, hanging, saying, serving


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


class TestRefusing:
    def test_another_status_fails_with_the_last_one_in_the_reason_when_attempts_are_used_up(self) -> None:
        clock = FakeClock()
        with serving(saying(answer(500), answer(503, b"starting"))) as server:
            result = ask(Canary(server.url, attempts=2), clock)

        assert result == CanaryResult(
            ran=True,
            ok=False,
            url=f"{server.url}/",
            status=503,
            attempt=2,
            body="starting",
            reason="status 503 instead of 200",
        )
        assert server.visits == 2
        assert clock.waits == [1.0]

    def test_another_success_is_not_the_expected_one(self) -> None:
        with serving(saying(answer(204))) as server:
            assert ask(once(server.url)).reason == "status 204 instead of 200"

    def test_a_body_without_the_expected_text_fails_and_is_not_quoted(self) -> None:
        with serving(saying(answer(200, b"database: down"))) as server:
            result = ask(replace(once(server.url), expect_body="up"))

        assert (result.ok, result.status, result.body) == (False, 200, "database: down")
        assert result.reason == "the body does not have the expected text"

    @pytest.mark.parametrize(
        ("version", "body", "headers"),
        [
            (ServedVersion("1.4.1"), b"It works!", {}),
            (ServedVersion("1.4.1"), b"1.4.10", {}),
            (ServedVersion("1.4.1"), b"11.4.1 or 2.1.4.1", {}),
            (ServedVersion("1.4.1"), b"1.4.1-rc.1", {}),
            (ServedVersion("1.4.1"), b"1x4x1", {}),
            (ServedVersion("1.4.1"), b"", {"X-App-Version": "1.4.1"}),
            (ServedVersion("1.4.1", header="X-App-Version"), b"1.4.1", {}),
            (ServedVersion("1.4.1", header="X-App-Version"), b"1.4.1", {"X-App-Version": "1.4.0"}),
        ],
    )
    def test_an_answer_of_another_version_fails(
        self, version: ServedVersion, body: bytes, headers: dict[str, str]
    ) -> None:
        with serving(saying(answer(200, body, **headers))) as server:
            result = ask(replace(once(server.url), version=version))

        assert (result.ok, result.reason) == (False, "the answer is not of version 1.4.1")

    def test_the_expected_text_is_not_looked_for_beyond_what_is_kept(self) -> None:
        with serving(saying(answer(200, b"x" * 4095 + b"ok"))) as server:
            assert not ask(replace(once(server.url), expect_body="ok")).ok

    def test_a_port_where_nobody_listens_is_asked_again(self, closed_port: int) -> None:
        clock = FakeClock()

        result = ask(Canary(f"http://127.0.0.1:{closed_port}/", attempts=3), clock)

        assert (result.ok, result.status, result.attempt) == (False, None, 3)
        assert result.reason == "connection refused"
        assert clock.waits == [1.0, 1.0]

    def test_a_name_that_nobody_has_fails(self) -> None:
        assert ask(once("http://no-such-host.invalid/")).reason == "the name of the host can not be resolved"

    def test_a_reset_connection_fails(self) -> None:
        with serving(Talk.reset) as server:
            assert ask(once(server.url)).reason == "connection reset by peer"

    def test_a_connection_that_is_closed_without_an_answer_fails(self) -> None:
        with serving(saying(b"")) as server:
            assert ask(once(server.url)).reason == "the connection was closed without an answer"

    @pytest.mark.parametrize(
        "wire",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 2OO OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        ],
        ids=["another protocol", "no number", "cut body", "cut chunk", "too many headers", "a long header"],
    )
    def test_what_is_not_an_answer_in_http_fails(self, wire: bytes) -> None:
        with serving(saying(wire)) as server:
            result = ask(once(server.url))

        assert (result.ok, result.status) == (False, None)
        assert result.reason == "the answer is not HTTP or ends too early"

    @pytest.mark.parametrize(
        "behaviour",
        [
            hanging,
            lambda talk: talk.trickle(b"HTTP/1.1 200 OK and so on and on" * 100),
            lambda talk: talk.trickle(b"HTTP/1.1 200 OK\r\n" + b"Name: value\r\n" * 100),
            lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n\r\n"), talk.trickle(b"x" * 1000)),
            lambda talk: (talk.send(b"HTTP/1.1 302 Go\r\nLocation: /\r\n\r\n"), talk.trickle(b"x" * 1000)),
        ],
        ids=["silent", "in the status", "in the headers", "in the body", "in the body of a redirect"],
    )
    def test_a_server_that_takes_its_time_is_left_when_the_time_is_over(self, behaviour: Behaviour) -> None:
        with serving(behaviour) as server:
            before = time.monotonic()
            result = ask(once(server.url, timeout=1))
            took = time.monotonic() - before

        assert (result.ok, result.reason) == (False, "no full answer within 1 s")
        assert 0.9 < took < 25, "the server would take 30 s and more"

    def test_redirects_share_the_time_of_their_attempt(self) -> None:
        def late(talk: Talk) -> None:
            talk.over.wait(0.4)
            talk.send(answer(302, Location="/again"))

        with serving(late) as server:
            assert ask(once(server.url, timeout=1)).reason == "no full answer within 1 s"

    def test_a_redirect_to_another_origin_is_not_followed(self) -> None:
        with (
            serving(saying(answer(200))) as other,
            serving(saying(answer(302, Location=f"{other.url}/x?y=z"))) as server,
        ):
            result = ask(once(server.url))

        assert (result.ok, result.status) == (False, 302)
        assert result.reason == f"status 302 instead of 200, a redirect to {other.url}"
        assert other.visits == 0

    def test_a_redirect_to_another_scheme_of_the_same_host_is_not_followed(self) -> None:
        with serving(saying(answer(301, Location="https://127.0.0.1/"))) as server:
            assert ask(once(server.url)).reason == "status 301 instead of 200, a redirect to https://127.0.0.1"

    def test_more_than_three_redirects_are_not_followed(self) -> None:
        with serving(saying(answer(302, Location="/again"))) as server:
            result = ask(once(server.url))

        assert not result.ok
        assert server.visits == 4
