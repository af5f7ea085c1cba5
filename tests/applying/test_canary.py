"""The canary passes for the answer that was expected, wherever it comes from, and tells what it was."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from platformctl import __version__
from platformctl.model.desired import Canary, ServedVersion
from platformctl.model.events import CanaryAnswered, Event
from platformctl.model.result import CanaryResult
from tests.applying.asking import ask
from tests.applying.web_server import FakeClock, Talk, answer, saying, serving


class TestKeeping:
    def test_the_expected_status_and_body_pass(self) -> None:
        told: list[Event] = []
        with serving(saying(answer(200, b"all is ok"))) as server:
            result = ask(Canary(f"{server.url}/health", expect_body="is ok"), told=told)

        assert result == CanaryResult(
            ran=True, ok=True, url=f"{server.url}/health", status=200, attempt=1, body="all is ok"
        )
        assert told == [CanaryAnswered(1, passed=True, detail="status 200")]

    @pytest.mark.parametrize(
        ("version", "body", "headers"),
        [
            (ServedVersion("1.4.1"), b'{"version":"1.4.1"}', {}),
            (ServedVersion("1.4.1"), b"This is 1.4.1.", {}),
            (ServedVersion("v1.4.1-rc.1+b2"), b"v1.4.1-rc.1+b2", {}),
            (ServedVersion("1.4.1", header="X-App-Version"), b"", {"x-app-version": "app 1.4.1"}),
        ],
    )
    def test_an_answer_of_the_expected_version_passes(
        self, version: ServedVersion, body: bytes, headers: dict[str, str]
    ) -> None:
        with serving(saying(answer(200, body, **headers))) as server:
            assert ask(Canary(server.url, version=version)).ok

    def test_an_answer_of_the_version_before_is_asked_again(self) -> None:
        with serving(saying(answer(200, b"version 1"), answer(200, b"version 2"))) as server:
            result = ask(Canary(server.url, version=ServedVersion("2")))

        assert (result.ok, result.attempt) == (True, 2)

    def test_any_status_can_be_the_expected_one(self) -> None:
        with serving(saying(answer(401, b"who?"))) as server:
            result = ask(Canary(server.url, expect_status=401))

        assert (result.ok, result.status, result.body) == (True, 401, "who?")

    def test_503_503_200_passes_at_the_third_attempt_with_a_pause_before_each_new_one(self) -> None:
        clock, told = FakeClock(), list[Event]()
        with serving(saying(answer(503), answer(503), answer(200))) as server:
            result = ask(Canary(server.url, attempts=3), clock, told)

        assert (result.ok, result.attempt) == (True, 3)
        assert clock.waits == [1.0, 1.0]
        assert [(e.attempt, e.passed) for e in told if isinstance(e, CanaryAnswered)] == [
            (1, False),
            (2, False),
            (3, True),
        ]

    def test_asked_to_stop_no_further_attempt_is_made(self) -> None:
        clock = FakeClock()
        with serving(saying(answer(503), answer(503), answer(200))) as server:
            result = ask(Canary(server.url, attempts=100), clock, stop_after=2)

        assert (result.ok, result.attempt, result.reason, clock.waits) == (False, 2, "interrupted", [1.0])

    def test_a_request_is_one_get_on_a_connection_of_its_own_that_no_cache_may_answer(self) -> None:
        with serving(saying(answer(503), answer(200))) as server:
            ask(Canary(f"{server.url}/a/b?c=d#e", attempts=2))

        assert server.visits == 2
        first, *headers = server.talks[0].request.rstrip().split("\r\n")
        assert first == "GET /a/b?c=d HTTP/1.1"
        assert sorted(headers) == [
            "Accept-Encoding: identity",
            "Accept: */*",
            "Cache-Control: no-cache",
            "Connection: close",
            f"Host: 127.0.0.1:{server.port}",
            f"User-Agent: platformctl/{__version__}",
        ]

    def test_a_url_without_a_path_asks_for_the_root(self) -> None:
        with serving(saying(answer(200))) as server:
            ask(Canary(server.url))

        assert server.talks[0].target == "/"

    def test_an_ipv6_address_is_asked_by_its_name_in_brackets(self) -> None:
        with serving(saying(answer(200)), address="::1") as server:
            result = ask(Canary(f"{server.url}/x"))

        assert (result.ok, result.url) == (True, f"http://[::1]:{server.port}/x")
        assert f"\r\nHost: [::1]:{server.port}\r\n" in server.talks[0].request

    @pytest.mark.lab
    def test_a_name_is_asked_at_its_next_address_when_one_refuses(self, tmp_path: Path) -> None:
        with serving(saying(answer(200, b"here")), address=SECOND) as server:
            result = ask_elsewhere(f"http://two.test:{server.port}/", (FIRST, SECOND), tmp_path)

        assert result["body"] == "here"

    @pytest.mark.lab
    def test_an_address_that_is_silent_leaves_time_for_the_next(self, tmp_path: Path) -> None:
        with serving(saying(answer(200, b"here")), address=SECOND) as server, deaf(FIRST, server.port):
            result = ask_elsewhere(f"http://two.test:{server.port}/", (FIRST, SECOND), tmp_path)

        assert result["body"] == "here"

    @pytest.mark.lab
    def test_a_name_with_one_forbidden_address_is_not_asked_at_the_others(self, tmp_path: Path) -> None:
        with serving(saying(answer(200))) as server:
            result = ask_elsewhere(f"http://two.test:{server.port}/", (FIRST, "169.254.169.254"), tmp_path)

        assert result["reason"] == "the host has a link-local address, 169.254.169.254"
        assert server.visits == 0

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_within_the_origin_is_followed_on_a_new_connection(self, status: int) -> None:
        with serving(saying(answer(status, Location="/real?x=1"), answer(200, b"ok"))) as server:
            result = ask(Canary(f"{server.url}/old"))

        assert (result.ok, result.status, result.attempt) == (True, 200, 1)
        assert [talk.target for talk in server.talks] == ["/old", "/real?x=1"]

    def test_a_redirect_that_is_expected_is_not_followed(self) -> None:
        with serving(saying(answer(302, Location="/login"))) as server:
            result = ask(Canary(server.url, expect_status=302))

        assert result.ok
        assert server.visits == 1

    def test_a_chunked_answer_is_read(self) -> None:
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n4\r\n ok!\r\n0\r\n\r\n"
        with serving(saying(chunks)) as server:
            result = ask(Canary(server.url, expect_body="all ok!"))

        assert result.ok

    def test_a_huge_body_is_kept_to_four_kibibytes(self) -> None:
        def endless(talk: Talk) -> None:
            talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
            talk.flood(b"x" * 65536)

        with serving(endless) as server:
            result = ask(Canary(server.url))

        assert result.ok
        assert result.body == "x" * 4096

    def test_bytes_that_are_no_text_are_replaced(self) -> None:
        with serving(saying(answer(200, b"a\xffb"))) as server:
            assert ask(Canary(server.url)).body == "a\ufffdb"

    def test_a_canary_that_was_not_run_is_neither_good_nor_bad(self) -> None:
        assert CanaryResult.not_run("none is declared") == CanaryResult(ran=False, ok=None, reason="none is declared")


FIRST, SECOND = "127.0.0.1", "127.0.0.2"
"""Two loopback addresses, in the order in which getaddrinfo returns them (RFC 6724, rule 9)."""


ASK = """
import dataclasses, json, sys
from platformctl.applying import canary
from platformctl.model.desired import Canary, ServedVersion
from tests.applying.web_server import FakeClock
question = Canary(sys.argv[1], attempts=1, timeout=2)
result = canary.ask(question, local=True, tell=lambda event: None, clock=FakeClock(), interrupted=bool)
print(json.dumps(dataclasses.asdict(result)))
"""


def ask_elsewhere(url: str, addresses: tuple[str, ...], folder: Path) -> dict[str, object]:
    """Ask in a process to which `two.test` is the name of `addresses`, and return the result's fields."""
    names = folder / "hosts"
    names.write_text("".join(f"{address} two.test\n" for address in addresses))
    mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", mounted, str(names), sys.executable, "-c", ASK, url]
    done = subprocess.run(argv, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    return dict(json.loads(done.stdout))


@contextmanager
def deaf(address: str, port: int) -> Iterator[None]:
    """Listen, never accept, and have the queue full: whoever connects now waits for an answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield
