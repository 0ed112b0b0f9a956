"""The report over HTTP: its own names, this machine, byte ranges, and nothing else."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from collectors.storage import Store, open_store
from flows.command_line import app as command_line
from flows.progress import no_progress
from flows.report import server
from flows.report.findings import examine
from flows.report.pages import PAGES
from flows.report.pictures import PictureError, draw
from flows.report.server import PictureCache, make_app
from tests.flows.reports import PAIRS, Reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.report.findings import Findings

PORT = 8123


@pytest.fixture(scope="module")
def findings(reported: Reported) -> Findings:
    """What the report says."""
    return examine(str(reported.root), None, PAIRS, no_progress)


@pytest.fixture
def store(reported: Reported) -> Store:
    """The dataset's storage."""
    return open_store(str(reported.root), writable=False)


@pytest.fixture
def client(findings: Findings, store: Store) -> TestClient:
    """Asks the application by the address that it is served at."""
    return TestClient(
        make_app(findings, findings.album, store, PORT), base_url=f"http://127.0.0.1:{PORT}"
    )


def good_picture(client: TestClient, findings: Findings) -> str:
    """Returns the name of a picture that can be drawn."""
    return next(one for one in findings.album.pictures if client.get(one).status_code == 200)


def test_pages_are_those_of_the_folder(
    client: TestClient, reported: Reported, findings: Findings
) -> None:
    """Pages but for their policy, scripts and pictures are what the folder has, byte for byte."""
    assert client.get("/").content == client.get("/index.html").content
    for one in PAGES:
        got = client.get(one.file)
        lying = (reported.folder / one.file).read_text(encoding="utf-8")
        assert got.text == lying.replace(" file:", "")
        assert "frame-ancestors 'none'" in got.headers["content-security-policy"]
        assert got.headers["x-content-type-options"] == "nosniff"
    assert client.get("assets/map.js").content == (reported.folder / "assets/map.js").read_bytes()
    picture = good_picture(client, findings)
    got = client.get(picture)
    assert got.content == (reported.folder / picture).read_bytes()
    assert got.headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    "path",
    [
        "/dataset.json", "/manifests/LATEST", "/../dataset.json", "/%2e%2e/dataset.json",
        "/assets/..%2f..%2fpages.py", "/etc/passwd", "//etc/passwd", "/pictures/", "/pictures",
        "/pictures/chip-99999-true.webp", "/report.json", "/index.html/", "/INDEX.HTML",
        "/assets/report.css%00",
    ],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """No path of the dataset, the package or the machine is answered."""
    assert client.get(path).status_code == 404


def test_only_reading_is_allowed(client: TestClient) -> None:
    """Methods other than GET and HEAD are refused."""
    assert client.head("/").status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (f"127.0.0.1:{PORT}", 200), (f"localhost:{PORT}", 200), (f"LOCALHOST:{PORT}", 200),
        (f"[::1]:{PORT}", 200), (f"evil.example:{PORT}", 421), ("127.0.0.1", 421),
        ("127.0.0.1:80", 421), (f"127.0.0.1.evil.example:{PORT}", 421), ("", 421),
    ],
)  # fmt: skip
def test_only_this_machine_is_answered(client: TestClient, host: str, status: int) -> None:
    """A request that came by another name, as after DNS rebinding, is refused for any path."""
    for path in ("/", "/data/index.js", "/nothing"):
        got = client.get(path, headers={"host": host}).status_code
        assert got == (404 if (path, status) == ("/nothing", 200) else status)


def test_pictures_are_read_by_range_and_kept_within_bounds(
    findings: Findings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a picture's own bytes are read, once while kept; the cache keeps to its size."""
    read: list[tuple[str, int, int]] = []
    real: Callable[..., bytes] = Store.read_range

    def watch(self: Store, *what: Any) -> bytes:
        read.append(what)
        return real(self, *what)

    monkeypatch.setattr(Store, "read_range", watch)
    monkeypatch.setattr(Store, "read", None)
    pictures = findings.album.pictures
    chips = [one for one in pictures.values() if one.kind == "chip"][:4]
    cache = PictureCache(store, pictures)
    first = cache.get(chips[0].name)
    assert cache.get(chips[0].name) == first
    assert read == [(chips[0].shard, chips[0].offset, chips[0].size)]
    assert first is not None
    small = PictureCache(store, pictures, limit=int(len(first) * 2.5))
    for chip in chips:
        small.get(chip.name)
        assert small.size <= len(first) * 2.5
    assert small.size > 0
    assert small.get("pictures/nothing.webp") is None


def test_a_picture_that_cannot_be_drawn_is_said(
    client: TestClient, findings: Findings, store: Store
) -> None:
    """A wrong checksum is a plain answer of status 502, and is not kept."""
    bad = next(one for one in findings.album.pictures.values() if one.sha256 == "0" * 64)
    got = client.get(bad.name)
    assert got.status_code == 502
    assert "not those that the table names" in got.text
    cache = PictureCache(store, findings.album.pictures)
    with pytest.raises(PictureError):
        cache.get(bad.name)
    assert cache.size == 0


def test_a_picture_whose_shard_is_gone_is_said(store: Store, findings: Findings) -> None:
    """One damaged shard is one picture less, not the end of a report."""
    one = next(iter(findings.album.pictures.values()))
    with pytest.raises(PictureError, match="cannot be read from the dataset"):
        draw(store, replace(one, shard="shards/gone.tar"))


SERVING = """
import socket
from starlette.responses import PlainTextResponse
from flows.report.server import OnlyLoopback, serve
with socket.create_server(("127.0.0.1", 0)) as connection:
    port = connection.getsockname()[1]
    print(port, flush=True)
    serve(OnlyLoopback(PlainTextResponse("here"), port), connection)
print("ended")
"""


def test_interrupt_ends_it_cleanly() -> None:
    """Served over a real socket, it ends at Ctrl-C with exit code 0 and says nothing of it."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=20).text == "here"
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors) == (0, "ended\n", "")


def test_command_serves_what_it_says(
    reported: Reported, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is printed before it serves, and a port that is taken is said with the remedy."""
    served: list[Any] = []

    def note(app: Any, connection: Any) -> None:
        socket.create_connection(connection.getsockname()).close()  # it listens already
        served.append((app, connection.getsockname()))

    monkeypatch.setattr(server, "serve", note)
    monkeypatch.setattr("flows.report.findings.examine", lambda *_: findings)
    runner = CliRunner()
    said = runner.invoke(command_line, ["serve-report", "--root", str(reported.root), "--json"])
    assert said.exit_code == 0
    ((app, (host, port)),) = served
    assert host == "127.0.0.1"
    assert json.loads(said.stdout)["address"] == f"http://127.0.0.1:{port}/"
    answer = TestClient(app, base_url=f"http://127.0.0.1:{port}").get("/")
    assert answer.status_code == 200
    with socket.create_server(("127.0.0.1", 0)) as taken:
        asked = ["--port", str(taken.getsockname()[1])]
        refused = runner.invoke(
            command_line, ["serve-report", "--root", str(reported.root), *asked]
        )
    assert refused.exit_code == 1
    assert "--port" in refused.stderr
