"""Limits shared through a real Prefect server, by the sandbox's own count."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from collectors.sandbox import Sandbox
from collectors.sandbox.server import DEFAULT_KEY
from tests import plain_http
from tests.flows.limit_processes import callers, environment, wait_for
from tests.flows.prefect_server import Server
from tests.flows.shared_limits import most_within

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prefect server."""
    with Server(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture
def slow_sandbox() -> Iterator[Sandbox]:
    """Both services; Earth Engine takes a fifth of a second for an answer."""
    with Sandbox(seed=3, latency_s={"ee.value": 0.2}) as running:
        yield running


PROJECT = "terrapair-earth-engine-sandbox"
KEY = f"terrapair-flickr-{hashlib.sha256(DEFAULT_KEY.encode()).hexdigest()[:12]}"


def taken(server: Server, name: str) -> int:
    """Returns how many slots of a limit are taken, as Prefect's API shows it."""
    shown = plain_http.get(f"{server.url}/v2/concurrency_limits/{name}", timeout=20).json()
    return int(shown.get("active_slots", 0))


def end_leases(server: Server) -> None:
    """Lets the leases that there are end now, as a minute without a renewal does."""
    folder = server.home / "concurrency_leases"
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    for path in folder.glob("*-*.json"):
        lease = json.loads(path.read_text())
        path.write_text(json.dumps(lease | {"expiration": past}))
    index = folder / "expirations.json"
    index.write_text(json.dumps(dict.fromkeys(json.loads(index.read_text()), past)))


def test_processes_share_what_one_key_is_allowed(server: Server, slow_sandbox: Sandbox) -> None:
    """Two processes together keep to Flickr's rate and slot, and to Earth Engine's.

    One leaves in good order, and the other takes what it gave back; killed with all in its hands,
    it holds the third up until its leases end, and no longer. In the end nothing is taken.
    """
    settings = {
        "earth_engine_connections": 4,
        "earth_engine_requests_per_second": 20,
        "flickr_calls_per_second": 2,
    }

    def calls() -> int:
        return slow_sandbox.counts().get("flickr.licenses", 0)

    with callers(3, "flickr,ee", environment(slow_sandbox, server, **settings)) as started:
        one, other, third = started
        slow_sandbox.reset()
        one.go()
        other.go()
        wait_for(lambda: calls() >= 12, 60, "12 calls")
        assert taken(server, PROJECT) == 4
        assert taken(server, KEY) == 1
        assert other.end()["ee"] > 0
        wait_for(lambda: taken(server, PROJECT) == 4, 60, "all slots in one hand")
        wait_for(lambda: taken(server, KEY) == 1, 60, "Flickr's slot in one hand")
        seen = slow_sandbox.traffic()
        assert seen["flickr"]["most_at_once"] == 1
        assert most_within(seen["flickr"]["times_s"], 5) <= 11
        assert seen["ee"]["most_at_once"] <= 4
        assert most_within(seen["ee"]["times_s"], 1) <= 20 + 2
        one.kill()
        slow_sandbox.reset()
        assert taken(server, PROJECT) == 4
        end_leases(server)  # looked at once a second
        third.go()
        wait_for(lambda: calls() >= 2, 60, "Flickr is called again")
        wait_for(lambda: taken(server, PROJECT) == 4, 60, "the slots are used again")
        assert slow_sandbox.traffic()["ee"]["most_at_once"] <= 4
        assert third.end()["flickr"] >= 2
    assert [taken(server, name) for name in (PROJECT, KEY, f"{KEY}-waiting")] == [0, 0, 0]


def test_a_key_is_in_no_name(server: Server) -> None:
    """The server, and whoever looks at it, sees a part of the key's SHA-256."""
    shown = plain_http.post(f"{server.url}/v2/concurrency_limits/filter", json={}, timeout=20).text
    assert KEY in shown
    assert DEFAULT_KEY not in shown
