"""A Prefect server of its own for a test, and programs that talk to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import psutil

from tests import plain_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]

LEASES_ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"

PATIENCE_S = 180.0
"""A condition that is not met for so long never will be, on a busy machine too."""


def wait_until(met: Callable[[], Any], what: str) -> Any:
    """Returns what a condition gives, once that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := met()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE_S:.0f} s")
        time.sleep(0.2)  # each look costs the server's time as well
    return found


def free_port() -> int:
    """Returns a port of loopback that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], log: Path, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program, which is killed in the end with all that it started."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield child
        finally:
            if child.poll() is None:
                whole = psutil.Process(child.pid)
                for one in [whole, *whole.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            child.wait()


@dataclass
class Server:
    """A Prefect server on loopback, with a folder of its own for all that it and others keep.

    Attributes:
        folder: Its records and everybody's logs.
        port: Where it listens.
        environment: For all programs that talk to it.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    _child: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Makes the environment: the one here, without what points elsewhere."""
        kept = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "TERRAPAIR_"))
        }  # fmt: skip
        self.environment = kept | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
            "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "1",
            # A server that is started anew keeps the leases that are on disk.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_ON_DISK,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_CLI_PROMPT": "false",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *kept.get("PYTHONPATH", "").split()]),
            "HOME": str(self.folder),
        }

    def __enter__(self) -> Self:
        """Starts it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kills it."""
        self.kill()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1",
                   "--port", str(self.port)]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self._child = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        wait_until(self._answers, "an answer of Prefect's server")

    def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, (self.folder / "server.log").read_text()
        try:
            return plain_http.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Ends the server at once."""
        if self._child is not None:
            if self._child.poll() is None:
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._child = None

    @property
    def home(self) -> Path:
        """Its records; leases lie in `concurrency_leases`."""
        return Path(self.environment["PREFECT_HOME"])

    @property
    def url(self) -> str:
        """Address of the API."""
        return self.environment["PREFECT_API_URL"]

    def ask(self, path: str, listed: list[Any] | None = None, /, **body: Any) -> Any:
        """Posts an object, or a list, to the API and returns the answer.

        While its database is busy the server answers 503, or late, and Prefect's own client asks
        again. What changes something is asked again after a 503 alone.
        """

        def post() -> httpx.Response | None:
            what = body if listed is None else listed
            try:
                answer = plain_http.post(f"{self.url}/{path}", json=what, timeout=60)
            except httpx.ReadTimeout:
                if not path.endswith("/filter"):
                    raise
                return None
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        answer = wait_until(post, path)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def prefect(self, *arguments: str, folder: Path | None = None, **variables: str) -> str:
        """Runs the command `prefect` and returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=folder or self.folder, env=self.environment | variables, capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """Returns the flow runs that have the given fields."""
        found = self.ask("flow_runs/filter")
        return [one for one in found if all(one[name] == value for name, value in wanted.items())]

    def state(self, run_id: str) -> str:
        """Returns the type of a flow run's state."""
        answer = plain_http.get(f"{self.url}/flow_runs/{run_id}", timeout=60)
        return str(answer.json()["state_type"])

    def wait_for(self, run_id: str, *states: str) -> str:
        """Waits until a flow run is in one of some states."""

        def met() -> str | None:
            state = self.state(run_id)
            return state if state in states else None

        return str(wait_until(met, f"state {states} of flow run {run_id}"))


def json_of(path: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
