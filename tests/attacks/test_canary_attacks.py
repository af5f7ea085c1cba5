"""What an attacker wants of the canary: to make the operator's machine ask, say or wait for what it should not.

The attacker writes the manifest's URL, runs the server that is asked, or both.
"""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.applying import canary
from platformctl.model.desired import Canary
from platformctl.model.events import CanaryAnswered, Event
from platformctl.model.result import CanaryResult
from tests.applying.web_server import Behaviour, FakeClock, Talk, answer, saying, serving


def ask(url: str, *, local: bool, attempts: int = 1, told: list[Event] | None = None) -> CanaryResult:
    events: list[Event] = [] if told is None else told
    question = Canary(url, attempts=attempts, timeout=20)
    return canary.ask(question, local=local, tell=events.append, clock=FakeClock(), interrupted=bool)


METADATA = [
    ("http://169.254.169.254/latest/meta-data/iam", "a link-local address, 169.254.169.254"),
    ("http://2852039166/", "a link-local address, 169.254.169.254"),
    ("http://0xa9.0xfe.0xa9.0xfe/", "a link-local address, 169.254.169.254"),
    ("http://0251.0376.0251.0376/", "a link-local address, 169.254.169.254"),
    ("http://[::ffff:169.254.169.254]/", "a link-local address, 169.254.169.254"),
    ("http://[::ffff:a9fe:a9fe]/", "a link-local address, 169.254.169.254"),
    ("http://[64:ff9b::a9fe:a9fe]/", "a link-local address, 169.254.169.254"),
    ("http://[fe80::a9fe:a9fe]/", "a link-local address, fe80::a9fe:a9fe"),
    ("http://[fd00:ec2::254]/", "a metadata address, fd00:ec2::254"),
    ("http://[fd20:ce::254]/", "a metadata address, fd20:ce::254"),
    ("http://100.100.100.200/", "a metadata address, 100.100.100.200"),
    ("http://168.63.129.16/", "a metadata address, 168.63.129.16"),
    ("http://192.0.0.192/", "a metadata address, 192.0.0.192"),
    ("http://224.0.0.1/", "a multicast address, 224.0.0.1"),
    ("http://[ff02::1]/", "a multicast address, ff02::1"),
    ("http://255.255.255.255/", "a broadcast address, 255.255.255.255"),
    ("http://[::]/", "an unspecified address, ::"),
]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize(("url", "what"), METADATA)
def test_credentials_of_the_cloud_are_not_asked_for(url: str, what: str, local: bool) -> None:
    result = ask(url, local=local)

    assert (result.ok, result.status, result.attempt) == (False, None, 1)
    assert result.reason == f"the host has {what}"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::1]", "localhost"),
    ],
)
def test_a_service_of_the_operator_s_own_machine_is_not_reached_for_a_remote_host(host: str) -> None:
    with serving(saying(answer(200))) as server:
        result = ask(f"http://{host}:{server.port}/", local=False)

    assert not result.ok
    assert result.reason.startswith("the host has a loopback address, ")
    assert server.visits == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"])
def test_a_service_of_the_operator_s_own_machine_is_reached_when_that_is_the_host(host: str) -> None:
    with serving(saying(answer(200))) as server:
        assert ask(f"http://{host}:{server.port}/", local=True).ok


@pytest.mark.parametrize("local", [False, True])
def test_the_unspecified_address_is_no_way_to_reach_a_loopback_service(local: bool) -> None:
    with serving(saying(answer(200))) as server:
        result = ask(f"http://0.0.0.0:{server.port}/", local=local)

    assert result.reason == "the host has an unspecified address, 0.0.0.0"
    assert server.visits == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/health",
        "//127.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:6379/_SET",
        "unix:///var/run/docker.sock",
        "javascript:alert(1)",
        "http:///etc/passwd",
        "http:127.0.0.1/",
        "http://",
        "http://:80/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:80x/",
        "http://[::1/",
        "http://[fe80::1%25lo]/",
        "http://127.0.0.1%2f@example.com/",
        "http://exa%6dple.com/",
        "http://example.com\\@127.0.0.1/",
        "http://a..b/",
        "http://[::..1]/",
        "http://[abc]/",
        "http://" + "a" * 64 + ".example/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127.0.0.1/\u202egnp.exe",
        "http://127.0.0.1/a b",
        " http://127.0.0.1/",
        "http://127.0.0.1/\x00",
    ],
)
def test_a_url_that_is_not_plainly_http_to_a_host_is_not_asked(url: str) -> None:
    told: list[Event] = []

    result = ask(url, local=True, attempts=3, told=told)

    assert (result.ran, result.ok, result.url, result.attempt) == (True, False, "", 0)
    assert result.reason.startswith("the URL ")
    assert told == []


@pytest.mark.parametrize(
    "tail",
    [
        "/x HTTP/1.1\r\nX-Admin: yes\r\n\r\n",
        "/\r\nX-Admin: yes",
        "/\nX-Admin: yes",
        "/\rX-Admin: yes",
        "/\tX-Admin: yes",
        "\r\nX-Admin: yes/",
        "/?a=b\r\n\r\nGET /admin HTTP/1.1",
    ],
)
def test_no_header_or_second_request_is_smuggled_into_the_url(tail: str) -> None:
    with serving(saying(answer(200))) as server:
        result = ask(f"http://127.0.0.1:{server.port}{tail}", local=True)

    assert result.reason == "the URL has characters that are not printable ASCII"
    assert server.visits == 0


def test_encoded_line_ends_stay_encoded() -> None:
    with serving(saying(answer(200))) as server:
        ask(f"{server.url}/a%0d%0aX-Admin:%20yes", local=True)

    assert server.talks[0].target == "/a%0d%0aX-Admin:%20yes"
    assert "X-Admin" not in server.talks[0].request.partition("\r\n")[2]


@pytest.mark.parametrize("who", ["alice:s3cret@", "alice@", ":s3cret@", "@", "s3cret%40:x@"])
def test_credentials_in_the_url_are_neither_sent_nor_shown(who: str) -> None:
    with serving(saying(answer(200))) as server:
        result = ask(f"http://{who}127.0.0.1:{server.port}/", local=True)

    assert server.visits == 0
    assert result.reason == "the URL has credentials in it"
    assert "s3cret" not in repr(result)


def test_a_token_in_the_query_is_sent_and_not_shown() -> None:
    told: list[Event] = []
    with serving(saying(answer(403))) as server:
        result = ask(f"{server.url}/health?token=s3cret", local=True, told=told)

    assert server.talks[0].target == "/health?token=s3cret"
    assert result.url == f"{server.url}/health"
    assert "s3cret" not in repr((result, told))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest?k=s3cret", "status 302 instead of 200, a redirect to http://169.254.169.254"),
        ("//169.254.169.254/s3cret", "status 302 instead of 200, a redirect to http://169.254.169.254"),
        ("http://alice:s3cret@169.254.169.254/", "status 302 instead of 200"),
        ("file:///etc/s3cret", "status 302 instead of 200"),
        ("http://[s3cret/", "status 302 instead of 200"),
        ("http://s3cret\x1b[2J/", "status 302 instead of 200"),
    ],
)
def test_a_redirect_leads_nowhere_else_and_its_secrets_are_not_shown(location: str, reason: str) -> None:
    told: list[Event] = []
    with serving(saying(answer(302, Location=location))) as server:
        result = ask(server.url, local=True, told=told)

    assert (result.ok, result.reason) == (False, reason)
    assert told == [CanaryAnswered(1, passed=False, detail=reason)]
    assert server.visits == 1


def test_a_redirect_to_another_service_of_the_same_machine_is_not_followed() -> None:
    with serving(saying(answer(200))) as secret:
        away = answer(307, Location=f"{secret.url}/admin")
        with serving(saying(away)) as server:
            result = ask(server.url, local=True)

    assert not result.ok
    assert secret.visits == 0


def test_a_redirect_through_userinfo_does_not_reach_another_service_either() -> None:
    with serving(saying(answer(200))) as secret:
        away = answer(302, Location=f"http://127.0.0.1@127.0.0.1:{secret.port}/")
        with serving(saying(away)) as server:
            result = ask(server.url, local=True)

    assert not result.ok
    assert secret.visits == 0


def test_a_proxy_of_the_environment_does_not_see_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying(answer(200, b"from the proxy"))) as proxy, serving(saying(answer(200))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        result = ask(server.url, local=True)

    assert (result.ok, result.body) == (True, "")
    assert proxy.visits == 0


def flood(start: bytes, more: bytes) -> Behaviour:
    def flooding(talk: Talk) -> None:
        talk.send(start)
        talk.flood(more)

    return flooding


@pytest.mark.parametrize(
    "behaviour",
    [
        flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        flood(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536),
        flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 100_000),
    ],
    ids=["interim answers", "headers", "a chunk of size -1", "a chunk extension"],
)
def test_an_endless_answer_neither_fills_memory_nor_passes(behaviour: Behaviour) -> None:
    with serving(behaviour) as server:
        before = time.monotonic()
        result = canary.ask(
            Canary(server.url, attempts=1, timeout=60),
            local=True,
            tell=lambda _: None,
            clock=FakeClock(),
            interrupted=bool,
        )
        took = time.monotonic() - before

    assert not result.ok
    assert result.reason in {"the answer is not HTTP or ends too early", "the connection was closed without an answer"}
    assert took < 30


def test_endless_trailers_are_left_unread() -> None:
    trailers = flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", b"a: b\r\n" * 1000)
    with serving(trailers) as server:
        assert ask(server.url, local=True).body == "ok"


def test_a_negative_chunk_is_no_way_to_end_the_tool() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello")) as server:
        assert ask(server.url, local=True).reason == "the answer is not HTTP or ends too early"


def test_a_reason_does_not_speak_with_the_server_s_voice() -> None:
    told: list[Event] = []
    with serving(saying(b"HTTP/1.1 503 \x1b[2J::error::s3cret\r\nContent-Length: 0\r\n\r\n")) as server:
        result = ask(server.url, local=True, told=told)

    assert result.reason == "status 503 instead of 200"
    assert "s3cret" not in repr((result, told))


WIRE = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=100).map(b"HTTP/1.1 500 ".__add__),
    st.binary(max_size=100).map(b"HTTP/1.1 302 Go\r\nLocation: http://".__add__),
    st.binary(max_size=100).map(b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n".__add__),
    st.binary(max_size=100).map(b"HTTP/1.1 500 Oh\r\nContent-Length: ".__add__),
)


@settings(max_examples=200, deadline=None)
@given(WIRE)
def test_no_answer_ends_the_tool_in_the_middle_of_an_apply(wire: bytes) -> None:
    with serving(saying(wire)) as server:
        result = ask(server.url, local=True)

    assert result.ok is False
    assert result.reason.isprintable()


@given(
    st.one_of(st.text(), st.text().map("http://".__add__), st.text("[]@:/?#%\\.0a", max_size=12).map("http://".__add__))
)
def test_no_url_ends_the_tool_in_the_middle_of_an_apply(url: str) -> None:
    question = Canary(url, attempts=0, timeout=0)

    result = canary.ask(question, local=False, tell=lambda _: None, clock=FakeClock(), interrupted=bool)

    assert result.ok is False
