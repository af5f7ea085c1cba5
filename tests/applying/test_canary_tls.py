"""The canary over TLS: a certificate that this machine trusts for that name, and no other."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from platformctl.model.desired import Canary
from tests.applying.asking import ask, once
from tests.applying.web_server import Behaviour, Talk, answer, hanging, saying, serving


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
