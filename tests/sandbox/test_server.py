"""The sandbox as a process: it starts, says where it is, counts, serves weights, and ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import flickrapi
import pytest
import requests

from collectors.sandbox import Sandbox, SandboxError
from collectors.sandbox.controls import Meter
from collectors.sandbox.process import _ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights that is not there yet."""
    return tmp_path_factory.mktemp("sandbox") / "weights"


@pytest.fixture(scope="module")
def sandbox(weights: Path) -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox(seed=3, weights=weights) as running:
        yield running


def search(sandbox: Sandbox) -> list[dict]:
    """One search with the real client."""
    client = flickrapi.FlickrAPI(
        sandbox.flickr_key, sandbox.flickr_secret, format="parsed-json", store_token=False
    )
    client.REST_URL = sandbox.flickr_url
    client.flickr_oauth.session = requests.Session()
    answer = client.photos.search(
        bbox="7,46,8,47", min_taken_date="2015-01-01", extras="url_z", per_page=20
    )
    client.flickr_oauth.session.close()
    return answer["photos"]["photo"]


def test_everything_that_is_announced_answers(sandbox: Sandbox) -> None:
    """The addresses handed over are those of both services, on loopback, on one port."""
    assert sandbox.url.startswith("http://127.0.0.1:")
    assert sandbox.photo_host == sandbox.url.removeprefix("http://")
    assert sandbox.service_account["token_uri"] == f"{sandbox.url}/token"
    assert sandbox.service_account["project_id"] == sandbox.project
    health = requests.get(f"{sandbox.url}/_sandbox/health", timeout=20)
    assert health.json() == {"status": "ok"}
    discovery = requests.get(f"{sandbox.earth_engine_url}/$discovery/rest", timeout=20)
    assert discovery.json()["kind"] == "discovery#restDescription"
    row = next(row for row in search(sandbox) if "url_z" in row)
    assert row["url_z"].startswith(f"http://{sandbox.photo_host}/photos/")
    assert requests.get(row["url_z"], timeout=20).status_code == 200


def test_requests_are_counted_until_the_counts_are_reset(sandbox: Sandbox) -> None:
    """Counts grow by kind and go back to nothing; asking for them is not counted."""
    sandbox.reset()
    assert sandbox.counts() == {}
    search(sandbox)
    search(sandbox)
    requests.get(f"{sandbox.url}/photos/65535/none.jpg", timeout=20)
    assert sandbox.counts() == {"flickr.search": 2, "photo.get": 1}
    sandbox.reset()
    assert sandbox.counts() == {}


def test_the_traffic_tells_when_requests_came_and_how_many_at_once(sandbox: Sandbox) -> None:
    """Requests that are delayed by a second are in work together; each has its time."""
    sandbox.reset()
    sandbox.faults({"latency": {"photo": 1.0}})
    address = f"{sandbox.url}/photos/65535/none.jpg"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: requests.get(address, timeout=20), range(3)))
    sandbox.faults({"latency": {"photo": 0.0}})
    requests.get(address, timeout=20)
    seen = sandbox.traffic()
    assert list(seen) == ["photo"]
    assert seen["photo"]["most_at_once"] == 3
    times = seen["photo"]["times_s"]
    assert len(times) == 4
    assert times == sorted(times)
    assert times[3] - times[0] >= 1.0
    sandbox.reset()
    assert sandbox.traffic() == {}


def test_two_sandboxes_of_one_seed_are_one_world(sandbox: Sandbox) -> None:
    """Another process with the same seed answers the same, but for its own port."""
    with Sandbox(seed=3) as other:
        assert other.url != sandbox.url
        here, there = json.dumps(search(sandbox)), json.dumps(search(other))
        assert here.replace(sandbox.url, "") == there.replace(other.url, "")
    with Sandbox(seed=4) as another:
        assert {row["id"] for row in search(another)}.isdisjoint(
            row["id"] for row in search(sandbox)
        )


def test_weights_are_served_when_they_come_to_be(sandbox: Sandbox, weights: Path) -> None:
    """A file made after the start is served, whole and in parts, and nothing outside it."""
    address = f"{sandbox.url}/weights/indoor.pt"
    assert requests.get(address, timeout=20).status_code == 404
    weights.mkdir()
    (weights / "indoor.pt").write_bytes(bytes(range(200)))
    (weights.parent / "secret.txt").write_text("no")
    assert sandbox.weights_url == f"{sandbox.url}/weights/"
    assert requests.get(address, timeout=20).content == bytes(range(200))
    part = requests.get(address, headers={"Range": "bytes=10-19"}, timeout=20)
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    for name in ("..%2fsecret.txt", "%2e%2e", "secret.txt", "", "a%00b"):
        assert requests.get(f"{sandbox.url}/weights/{name}", timeout=20).status_code == 404


def test_one_file_of_weights_has_its_own_address(tmp_path: Path) -> None:
    """Given a file, the address is the file's, and no other name is served."""
    path = tmp_path / "w.pt"
    path.write_bytes(b"abc")
    with Sandbox(weights=path, key="abc123", secret="xyz") as running:
        assert running.weights_url == f"{running.url}/weights/w.pt"
        assert requests.get(running.weights_url, timeout=20).content == b"abc"
        assert requests.get(f"{running.url}/weights/v.pt", timeout=20).status_code == 404
        assert (running.flickr_key, running.flickr_secret) == ("abc123", "xyz")
        assert "xyz" not in repr(running)


def test_a_stopped_sandbox_says_so_and_starts_again() -> None:
    """Stop and kill end it, each may come twice, and a start afterwards works."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match="start it first"):
        sandbox.counts()
    sandbox.stop()
    sandbox.start()
    with pytest.raises(SandboxError, match="running already"):
        sandbox.start()
    address = sandbox.photo_host.split(":")
    sandbox.kill()
    assert not sandbox.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address[0], int(address[1])), timeout=5)
    sandbox.start()
    assert sandbox.counts() == {}
    sandbox.stop()
    sandbox.stop()
    assert not sandbox.running


def test_a_failed_start_tells_what_the_process_wrote(tmp_path: Path) -> None:
    """The reason from the process's stderr is in the error."""
    photos = tmp_path / "photos.csv"
    photos.write_text("photo_id,owner\n1,2\n")
    with pytest.raises(SandboxError, match="columns of photos are missing: lat, lon"):
        Sandbox(photos=photos).start()
    with pytest.raises(SandboxError, match="there is nothing at"):
        Sandbox(photos=tmp_path / "none.csv").start()
    with pytest.raises(SandboxError, match="letters and digits"):
        Sandbox(key="a b").start()


def run_main(*options: str) -> subprocess.CompletedProcess[str]:
    """The command line, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "collectors.sandbox", *options],
        cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    """The message names the port and the option; no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_main("--port", str(port))
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "choose another --port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_option_is_refused() -> None:
    """Ports that are none and unknown options end at once with status 2."""
    for options in (("--port", "70000"), ("--colour", "red"), ("--beyond-limit", "stop")):
        assert run_main(*options).returncode == 2


def test_the_process_ends_when_its_parent_lets_go() -> None:
    """Closing stdin, as a parent's death does, ends the process with status 0."""
    with subprocess.Popen(
        [sys.executable, "-m", "collectors.sandbox", "--with-parent"],
        cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        try:
            assert json.loads(child.stdout.readline())["url"].startswith("http://127.0.0.1:")
            child.stdin.close()
            assert child.wait(20) == 0
            assert child.stderr.read() == b""
        finally:
            child.kill()


def test_counting_from_many_threads_loses_nothing() -> None:
    """Every request counts, whichever thread it came on."""
    import threading

    meter = Meter()
    threads = [
        threading.Thread(target=lambda: [meter.count("x") for _ in range(2000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.read() == {"x": 16_000}
