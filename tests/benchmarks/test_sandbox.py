"""What the sandbox catches, and how fast it sends pixels."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import shapely
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from collectors.sandbox import Sandbox
from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.scenes import SceneWorld, Sensor
from tests.benchmarks.client_mistakes import MISTAKES
from tests.benchmarks.lines import report

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.benchmark

ROOT: Final = Path(__file__).resolve().parents[2]
AT_ONCE: Final = 40
CHIPS: Final = 1_200
PER_SECOND: Final = 100
"""Requests a second that Earth Engine serves one project (its guide, "Quotas")."""

BANDS: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12", "SCL")

PLAIN_SERVER: Final = """
import socket, sys, uvicorn
body = b"x" * int(sys.argv[1])
headers = [(b"content-length", str(len(body)).encode())]
async def application(scope, receive, send):
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(application, http="h11", lifespan="off", access_log=False,
                              log_level="warning")).run(sockets=[listener])
"""
"""An application that sends so many bytes and looks at nothing: the limit of the server used."""


def chips_per_second(host: str, path: Callable[[int], tuple[str, bytes]], token: str) -> float:
    """Asks for chips, 40 at once over kept connections, and gives how many came in a second."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def take(worker: int) -> int:
        connection = http.client.HTTPConnection(host, timeout=60)
        size = 0
        for number in range(worker, CHIPS, AT_ONCE):
            address, body = path(number)
            connection.request("POST", address, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content[:300]
            size += len(content)
        connection.close()
        return size

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(take, range(AT_ONCE)))  # what is made once is made now
        started = time.perf_counter()
        assert sum(threads.map(take, range(AT_ONCE))) > CHIPS * 448 * 448 * 25
        return CHIPS / (time.perf_counter() - started)


def test_sandbox_chips_per_second() -> None:
    """Prerendered Sentinel-2 chips of 13 bands as NPY, every request checked as ever."""
    world = SceneWorld(0, Landcover(0))
    scene = world.search(Sensor.S2_L2A, Geometry(shapely.Point(-122.2, 37.5)), 1.53e12, 1.56e12)[0]

    def request(number: int) -> tuple[str, bytes]:
        affine = {"scaleX": 10, "translateX": scene.west + 10 * number,
                  "scaleY": -10, "translateY": scene.north}  # fmt: skip
        body = {
            "bandIds": BANDS, "fileFormat": "NPY",
            "grid": {"dimensions": {"width": 448, "height": 448}, "affineTransform": affine,
                     "crsCode": scene.crs},
        }  # fmt: skip
        path = f"/v1/projects/earthengine-public/assets/{scene.asset_id}:getPixels"
        return path, json.dumps(body).encode()

    with Sandbox(prerendered=True, limits={"per_second": 1e9}) as box:
        ours = chips_per_second(box.photo_host, request, access_token(box))
    size = 448 * 448 * 25 + 448  # 12 bands of 2 bytes and one of 1, and the file's header
    with subprocess.Popen(
        [sys.executable, "-c", PLAIN_SERVER, str(size)], stdout=subprocess.PIPE, text=True
    ) as plain:
        try:
            assert plain.stdout is not None
            host = f"127.0.0.1:{int(plain.stdout.readline())}"
            peer = chips_per_second(host, request, "none")
        finally:
            plain.terminate()
    report(
        "sandbox_chips_per_second", round(ours, 1), "chips/s",
        f"above the {PER_SECOND} a second that the service allows",
        peer=round(peer, 1), peer_is="the same server sending as many bytes, looking at nothing",
        ratio=round(ours / peer, 3), over_the_service=round(ours / PER_SECOND, 2),
        at_once=AT_ONCE, chips=CHIPS, bytes_a_chip=size,
    )  # fmt: skip


def access_token(box: Sandbox) -> str:
    """Exchanges a signed assertion for a token, as a service account does."""
    credentials = service_account.Credentials.from_service_account_info(
        box.service_account, scopes=["https://www.googleapis.com/auth/earthengine"]
    )
    credentials.refresh(Request())
    return str(credentials.token)


def passed_and_all(folder: Path, *tests: str) -> tuple[int, int]:
    """Runs tests of a copy of the project until one fails; gives how many passed, of how many."""
    result = folder / "result.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header",
         f"--junitxml={result}", *tests],
        cwd=folder, check=False, capture_output=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )  # fmt: skip
    suite = next(ET.parse(result).getroot().iter("testsuite"))
    wrong = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    count = int(suite.get("tests", 0))
    return count - wrong, count


def test_sandbox_mistakes_caught(tmp_path: Path) -> None:
    """Each mistake alone in the project's own clients fails a test that talks to the sandbox."""
    copy = tmp_path / "project"
    kept = shutil.ignore_patterns(".*", "__pycache__", "demo")
    shutil.copytree(ROOT, copy, ignore=kept)
    (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    suites = {
        True: ["tests/collectors/test_flickr.py", "tests/collectors/test_photo_files.py"],
        False: ["tests/collectors/test_earth_engine.py",
                "tests/collectors/test_earth_engine_real_scenes.py"],
    }  # fmt: skip
    for tests in suites.values():
        passed, count = passed_and_all(copy, *tests)
        assert passed == count > 0
    caught, missed = 0, []
    for mistake in MISTAKES:
        file = copy / mistake.file
        right = file.read_text(encoding="utf-8")
        assert right.count(mistake.old) == 1, mistake.what
        file.write_text(right.replace(mistake.old, mistake.new), encoding="utf-8")
        asks_flickr = "earth_engine" not in mistake.file
        passed, count = passed_and_all(copy, *suites[asks_flickr])
        file.write_text(right, encoding="utf-8")
        caught += passed < count
        if passed == count:
            missed.append(mistake.what)
    wire = ["tests/sandbox/test_mistakes_earth_engine.py", "tests/sandbox/test_mistakes_flickr.py"]
    wire = [name for name in wire if (copy / name).exists()]
    answered, sent = passed_and_all(copy, *wire)
    report(
        "sandbox_mistakes_caught", caught, "mistakes", "all", of=len(MISTAKES), missed=missed,
        sent_raw=sent, answered_as_the_service=answered,
    )  # fmt: skip
