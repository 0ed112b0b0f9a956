"""A server that cannot show who it is: every client refuses it, at once, and sends nothing."""

from __future__ import annotations

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from collectors.earth_engine import EarthEngine, ServiceAccount
from collectors.flickr import Flickr
from collectors.photo_files import PhotoHost
from collectors.records import PhotoSize
from collectors.transport import Patience, SetupError, Throttle
from filters.indoor_weights import WeightsUnreachableError, fetch
from tests.collectors.photos import make_photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.sandbox import Sandbox

PATIENCE = Patience(60.0, 30.0, 60.0)
"""Long enough that a second try would show: these tests take no minute."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """An https server with a certificate of its own making: `127.0.0.1:port`, what it was asked."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(day - timedelta(days=3650)).not_valid_after(day + timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{listening.server_port}", asked
    listening.shutdown()
    thread.join()
    listening.server_close()


def throttle() -> Throttle:
    """A throttle that holds nobody up."""
    return Throttle(10_000, 1.0, 4)


def ask_flickr(host: str) -> None:
    """Asks for the licences, with a key."""
    with Flickr("0" * 32, "1" * 16, url=f"https://{host}/services/rest/", throttle=throttle(),
                patience=PATIENCE) as flickr:  # fmt: skip
        flickr.check()


def ask_photo_host(host: str) -> None:
    """Downloads a photo."""
    photo = make_photo(sizes=(PhotoSize("z", f"https://{host}/1.jpg", 640, 480),))
    with PhotoHost(throttle=throttle(), patience=PATIENCE, user_agent="tests",
                   allowed_hosts=frozenset({host})) as photos:  # fmt: skip
        photos.fetch(photo)


@pytest.mark.parametrize("ask", [ask_flickr, ask_photo_host])
def test_an_unknown_certificate_is_refused(ask: Any, server: tuple[str, list[str]]) -> None:
    """It is not tried again, the remedy is told, and no request was sent, so no key either."""
    host, asked = server
    with pytest.raises(SetupError, match=r"certificate is not one .* REQUESTS_CA_BUNDLE"):
        ask(host)
    assert asked == []


@pytest.mark.parametrize("where", ["token service", "service"])
def test_earth_engine_is_not_asked_either(
    where: str, sandbox: Sandbox, server: tuple[str, list[str]]
) -> None:
    """Neither the service that exchanges keys for tokens nor the one that takes the tokens."""
    host, asked = server
    account = dict(sandbox.service_account)
    url = f"https://{host}"
    if where == "token service":
        account["token_uri"] = f"https://{host}/token"
        url = sandbox.earth_engine_url
    with pytest.raises(SetupError, match="certificate is not one"):
        EarthEngine.connect(
            project=sandbox.project, credentials=ServiceAccount(json.dumps(account)), url=url,
            throttle=throttle(), patience=PATIENCE,
        )  # fmt: skip
    assert asked == []


def test_weights_are_not_taken_from_it(server: tuple[str, list[str]], tmp_path: Path) -> None:
    """Weights are code of a kind: they come over a connection that is known, or not at all."""
    host, asked = server
    with pytest.raises(WeightsUnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(f"https://{host}/weights.pth", tmp_path, sha256=None)
    assert asked == []
    assert list(tmp_path.rglob("*.pth")) == []
