"""A Prefect server of its own, on loopback, for tests of what processes share through it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from tests.flows.free_port import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_S = 240
_LEASES = "prefect.server.concurrency.lease_storage"
_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "1",
    # A server that is started anew keeps the leases that are on disk.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": f"{_LEASES}.filesystem",
}


@dataclass(frozen=True)
class PrefectServer:
    """A server that runs.

    Attributes:
        home: Its folder; leases lie in `concurrency_leases`.
        environment: What a process needs in its environment to reach it.
    """

    home: Path
    environment: dict[str, str]

    @property
    def api(self) -> str:
        """Address of its API."""
        return self.environment["PREFECT_API_URL"]


@contextmanager
def prefect_server(home: Path) -> Iterator[PrefectServer]:
    """Starts a server, waits until it answers, and ends it."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    with (home / "server.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1",
             "--port", str(port)],
            env=os.environ | environment | _SERVER, stdout=log, stderr=log, cwd=home,
        )  # fmt: skip
        try:
            _wait(child, environment["PREFECT_API_URL"], home)
            yield PrefectServer(home, environment)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait(child: subprocess.Popen, api: str, home: Path) -> None:
    last = time.monotonic() + _START_S
    while time.monotonic() < last:
        try:
            if httpx.get(f"{api}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        try:
            child.wait(0.3)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(
        f"Prefect's server did not start: {(home / 'server.log').read_text()[-2000:]}"
    )
