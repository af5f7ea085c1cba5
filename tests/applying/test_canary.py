"""The canary passes for the answer that was expected and for nothing else, and is over when it was said to be."""

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from platformctl import __version__
from platformctl.applying import canary
from platformctl.model.desired import Canary, ServedVersion
from platformctl.model.events import CanaryAnswered, Event
from platformctl.model.result import CanaryResult
from tests.applying.web_server import Behaviour, FakeClock, Talk, answer, hanging, saying, serving


def ask(question: Canary, clock: FakeClock | None = None, told: list[Event] | None = None) -> CanaryResult:
    events: list[Event] = [] if told is None else told
    return canary.ask(question, local=True, tell=events.append, clock=clock or FakeClock())


def once(url: str, timeout: int = 20) -> Canary:
    return Canary(url, attempts=1, timeout=timeout)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


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


FIRST, SECOND = "127.0.0.1", "127.0.0.2"
"""Two loopback addresses, in the order in which getaddrinfo returns them (RFC 6724, rule 9)."""

ASK = """
import dataclasses, json, sys
from platformctl.applying import canary
from platformctl.model.desired import Canary, ServedVersion
from tests.applying.web_server import FakeClock
question = Canary(sys.argv[1], attempts=1, timeout=2)
result = canary.ask(question, local=True, tell=lambda event: None, clock=FakeClock())
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


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return self_signed(tmp_path / "certificate.pem")

    def test_a_trusted_certificate_for_the_name_passes(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with serving(behind_tls(certificate, answer(200, b"ok")), silent=True) as server:
            result = ask(Canary(f"https://localhost:{server.port}/x", expect_body="ok", attempts=1))

        assert result.ok, result.reason
        assert result.url == f"https://localhost:{server.port}/x"

    def test_a_certificate_for_another_name_fails(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with serving(behind_tls(certificate, answer(200)), silent=True) as server:
            result = ask(once(f"https://127.0.0.1:{server.port}/"))

        assert not result.ok
        assert result.reason.startswith("TLS: IP address mismatch")

    def test_a_certificate_that_nobody_vouches_for_fails(self, certificate: Path) -> None:
        with serving(behind_tls(certificate, answer(200)), silent=True) as server:
            result = ask(once(f"https://localhost:{server.port}/"))

        assert not result.ok
        assert result.reason == "TLS: self-signed certificate"

    def test_a_server_without_tls_fails(self) -> None:
        with serving(saying(answer(400)), silent=True) as server:
            result = ask(once(f"https://localhost:{server.port}/"))

        assert not result.ok
        assert result.reason.startswith("TLS: ")

    def test_a_handshake_that_takes_its_time_is_left_when_the_time_is_over(self) -> None:
        with serving(hanging, silent=True) as server:
            assert ask(once(f"https://127.0.0.1:{server.port}/", timeout=1)).reason == "no full answer within 1 s"


def behind_tls(certificate: Path, wire: bytes) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk_tls(talk: Talk) -> None:
        with context.wrap_socket(talk.sock, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(wire)

    return talk_tls


def self_signed(path: Path) -> Path:
    """Write a certificate for `localhost`, valid for an hour on either side of now, and its key to `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
