"""The door to a forge: what it does not follow, for how long it waits, how much it reads, and what it says twice."""

import datetime as dt
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from platformctl.errors import Refusal, ToolError, Unreachable
from platformctl.forges import wire
from platformctl.forges.wire import Wire, credentials
from platformctl.model.forge import ForgeUrl
from platformctl.model.secret import Secret
from tests.applying.web_server import Behaviour, Talk, WebServer, answer, hanging, saying, serving

TOKEN = "f0rge-t0ken-0123456789"


def to(server: WebServer, seconds: float = wire.SECONDS) -> Wire:
    return Wire(ForgeUrl.parse(server.url), credentials("token", Secret(TOKEN)), seconds=seconds, pause=0.0)


def test_a_question_carries_the_token_and_its_answer_is_read() -> None:
    with serving(saying(answer(200, b'{"login": "ann"}'))) as server:
        assert to(server).get("/user") == {"login": "ann"}

    assert f"token {TOKEN}" in server.talks[0].request


def test_a_redirect_is_not_followed_and_the_token_stays() -> None:
    with serving(saying(answer(200, b"{}"))) as other:
        away = answer(302, b"", Location=f"{other.url}/user")
        with serving(saying(away)) as server, pytest.raises(ToolError, match="refused") as refused:
            to(server).get("/user")
        assert other.talks == []

    assert refused.value.detail == "GET /user: status 302"


@pytest.mark.parametrize("status", [500, 502, 429])
def test_what_changes_nothing_is_asked_again_where_the_forge_is_busy(status: int) -> None:
    with serving(saying(answer(status), answer(200, b"[1]"))) as server:
        assert to(server).get("/things") == [1]


def test_three_times_is_enough() -> None:
    with serving(saying(*[answer(503)] * 9)) as server, pytest.raises(Unreachable) as refused:
        to(server).get("/things")

    assert len(server.talks) == wire.ATTEMPTS
    assert refused.value.reason == "forge"
    assert "status 503" in refused.value.detail


def test_a_new_comment_is_not_said_twice() -> None:
    with serving(saying(answer(503), answer(201, b"{}"))) as server, pytest.raises(Unreachable):
        to(server).post("/comments", {"body": "hello"})

    assert len(server.talks) == 1


def test_an_edited_comment_is_the_same_however_often_it_is_sent() -> None:
    with serving(saying(answer(503), answer(200, b"{}"))) as server:
        assert to(server).patch("/comments/1", {"body": "hello"}) == {}


def test_a_refusal_is_not_tried_again() -> None:
    with serving(saying(answer(403), answer(200, b"{}"))) as server, pytest.raises(ToolError, match="does not let"):
        to(server).get("/things")

    assert len(server.talks) == 1


def trickling(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    talk.trickle(b"x" * 1000)


@pytest.mark.parametrize("behaviour", [hanging, trickling], ids=["silent", "trickling"])
def test_nobody_is_held_past_the_deadline(behaviour: Behaviour) -> None:
    with serving(behaviour) as server, pytest.raises(Unreachable) as refused:
        to(server, seconds=0.3).post("/comments", {"body": "hello"})

    assert "0.3 s" in refused.value.detail or "trickled" in refused.value.detail


def test_a_refused_connection_is_no_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = ForgeUrl.parse(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unreachable, match="did not answer"):
            Wire(url, None, pause=0.0).get("/user")


def test_an_answer_without_end_is_refused() -> None:
    def endless(talk: Talk) -> None:
        talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        talk.flood(b"[" * 65536)

    with serving(endless) as server, pytest.raises(ToolError, match="too long"):
        to(server).get("/things")


def test_a_list_without_end_is_refused() -> None:
    def endless(talk: Talk) -> None:
        talk.send(answer(200, b"[1]"))

    with serving(endless) as server, pytest.raises(ToolError, match="too long"):
        list(to(server).get_all("/things"))


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000], ids=["html", "bytes", "depth"])
def test_an_answer_that_is_no_json_is_refused(body: bytes) -> None:
    with serving(saying(answer(200, body))) as server, pytest.raises(ToolError, match="can not be understood"):
        to(server).get("/things")


def test_a_refusal_says_nothing_that_the_server_said() -> None:
    said = answer(422, b'{"message": "\x1b[2J::error::s3cret"}')
    with serving(saying(said)) as server, pytest.raises(ToolError) as refused:
        to(server).get("/things")

    assert "s3cret" not in told(refused.value)


@contextmanager
def secured(folder: Path) -> Iterator[int]:
    """A TLS server with a certificate of its own making; its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(day).not_valid_after(day.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                    with context.wrap_socket(plain, server_side=True) as connection:
                        connection.recv(65536)
                        connection.sendall(answer(200, b'{"login": "ann"}'))
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)  # ends who waits for the next


ASK = """
from platformctl.forges.wire import Wire
from platformctl.model.forge import ForgeUrl
import sys
print(Wire(ForgeUrl.parse(sys.argv[1]), None, pause=0.0).get("/user"))
"""


def test_a_certificate_that_nobody_vouches_for_is_refused_and_one_of_the_machines_store_is_not(tmp_path: Path) -> None:
    with secured(tmp_path) as port:
        url = f"https://localhost:{port}"
        with pytest.raises(Unreachable, match="did not answer") as refused:
            Wire(ForgeUrl.parse(url), None, pause=0.0).get("/user")
        trusted = {"SSL_CERT_FILE": str(tmp_path / "certificate.pem"), "HTTPS_PROXY": "http://127.0.0.1:9"}
        asked = subprocess.run(
            (sys.executable, "-c", ASK, url), env=trusted, capture_output=True, text=True, check=False
        )

    assert "certificate" in refused.value.detail
    assert asked.stdout == "{'login': 'ann'}\n", asked.stderr


@pytest.mark.parametrize("library", ["httpx2", "stamina"])
def test_a_missing_extra_is_named_where_it_is_needed(library: str) -> None:
    program = (
        "import sys\nsys.modules[sys.argv[2]] = None\n" + ASK.replace("print", "try:\n    print", 1)
        + "except Exception as error:\n    print(error.detail, error.hint)\n"
    )  # fmt: skip
    ended = subprocess.run(
        (sys.executable, "-c", program, "http://127.0.0.1:9", library), capture_output=True, text=True, check=False
    )

    assert ended.stdout == f"the package {library} is not installed pip install 'platformctl[forge]'\n", ended.stderr


def told(refusal: Refusal) -> str:
    return f"{refusal.summary}{refusal.detail}{refusal.hint}"
