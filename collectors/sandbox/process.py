"""The sandbox in a process of its own, held by the one that started it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0
_LOG_TAIL_BYTES: Final = 4000
# The folder from which `collectors` is imported.
_ROOT: Final = Path(__file__).resolve().parents[2]


class SandboxError(RuntimeError):
    """The sandbox did not start, or is not running."""


class Sandbox:
    """Both services on a free port of this machine, from `start` (or `with`) to `stop`.

    Args:
        seed: of the world; the same seed gives the same photos, scenes and pixels.
        photos: a Parquet or CSV file of photos in place of the made-up ones.
        scenes: a Parquet file, or a folder of them, in place of the made-up scenes.
        weights: a file or folder to serve; it may come to be after the start.
        key: the photo service's API key; None for the sandbox's own.
        secret: its secret; None for the sandbox's own.
        limits: Earth Engine's limits that differ from the real ones, by the names of
            `collectors.sandbox.limits.Limits`.
        beyond_limit: what a search answers after 4,000 results: "repeat" or "refuse"; None for the
            first.
        awkward: share of photos with an awkward file, of awkward titles, and of flooded places.
        faults: a JSON file of what is to go wrong; see `faults` for while it runs.
        latency_s: seconds added to every answer, by service ("flickr", "photo", "ee") or kind.
        prerendered: whether Earth Engine's pixels are made beforehand and show no place, for
            measuring how fast they are taken in.
        keep_bytes: of photos' files and of pixels that are kept on disk once they were made, for
            who makes many builds of the same places; 0 for none.

    Attributes:
        url: scheme, host and port of everything.
        flickr_url: address of the photo service's methods.
        photo_host: host and port of the photos' files.
        earth_engine_url: address to initialise Earth Engine's client with.
        project: the cloud project to name there.
        flickr_key: the API key that is valid.
        flickr_secret: its secret.
        service_account: a service account's key file, as a dictionary.
        weights_url: address of the file of weights, or of the folder, with a slash at its end.
    """

    url: str
    flickr_url: str
    photo_host: str
    earth_engine_url: str
    project: str
    flickr_key: str
    flickr_secret: str
    service_account: dict[str, str]
    weights_url: str

    def __init__(
        self,
        *,
        seed: int = 0,
        photos: Path | None = None,
        scenes: Path | None = None,
        weights: Path | None = None,
        key: str | None = None,
        secret: str | None = None,
        limits: Mapping[str, float] | None = None,
        beyond_limit: str | None = None,
        awkward: float | None = None,
        faults: Path | None = None,
        latency_s: Mapping[str, float] | None = None,
        prerendered: bool = False,
        keep_bytes: int = 0,
    ) -> None:
        values = {
            "--seed": seed,
            "--photos": photos and photos.absolute(),
            "--scenes": scenes and scenes.absolute(),
            "--weights": weights and weights.absolute(),
            "--key": key,
            "--secret": secret,
            "--limits": None if limits is None else json.dumps(dict(limits)),
            "--beyond-limit": beyond_limit,
            "--awkward": awkward,
            "--faults": faults and faults.absolute(),
            "--keep-bytes": keep_bytes or None,
        }
        self._options = [f"{name}={value}" for name, value in values.items() if value is not None]
        self._options += [f"--latency={name}={value}" for name, value in (latency_s or {}).items()]
        if prerendered:
            self._options.append("--prerendered")
        self._child: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Starts the process and waits until it answers.

        Raises:
            SandboxError: when it is running already, or does not come up; holds the end of what
                the process wrote to stderr.
        """
        if self.running:
            raise SandboxError("the sandbox is running already: stop it before it is started again")
        self._forget()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _forget
        self._child = subprocess.Popen(
            [sys.executable, "-m", "collectors.sandbox", "--with-parent", *self._options],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the one who holds it, who then ends it
        )
        line = _read_line(self._child, _START_SECONDS)
        if not line:
            self._child.kill()
            self._child.wait()
            written = self._read_log()
            self._forget()
            raise SandboxError(
                f"the sandbox gave up, or did not start within {_START_SECONDS:.0f} s; "
                f"it wrote:\n{written}"
            )
        for name, value in json.loads(line).items():
            setattr(self, name, value)

    def stop(self) -> None:
        """Ends the process, letting requests in progress finish; does nothing if it has ended."""
        child = self._child
        if child is not None and child.stdin is not None and child.poll() is None:
            with suppress(BrokenPipeError):
                child.stdin.close()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def wait(self) -> None:
        """Waits until the process has ended."""
        if self._child is not None:
            self._child.wait()

    def kill(self) -> None:
        """Ends the process at once, as a power cut would; does nothing if it has ended."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._forget()

    def counts(self) -> dict[str, int]:
        """Gives the number of requests since the start or the last reset, by kind.

        Returns:
            For example {"flickr.search": 12}; kinds that never came are missing.

        Raises:
            SandboxError: when the sandbox is not running.
        """
        counts: dict[str, int] = json.loads(self._ask("GET", "/_sandbox/counts"))
        return counts

    def traffic(self) -> dict[str, dict[str, Any]]:
        """Gives when requests came since the start or the last reset, by service.

        Returns:
            For example {"flickr": {"most_at_once": 1, "times_s": [12.1, 13.1]}}: the most requests
            in work at once, and when each came, by a clock that grows. Of each service the last
            100,000 are kept.

        Raises:
            SandboxError: when the sandbox is not running.
        """
        seen: dict[str, dict[str, Any]] = json.loads(self._ask("GET", "/_sandbox/traffic"))
        return seen

    def reset(self) -> None:
        """Sets the counts to 0, and forgets the traffic.

        Raises:
            SandboxError: when the sandbox is not running.
        """
        self._ask("POST", "/_sandbox/reset")

    def faults(self, plan: object) -> None:
        """Says what is to go wrong from now on; all counts of faults begin anew.

        Args:
            plan: {"seed": 7, "latency": {"ee": 0.2}, "faults": [{"fault": "reset", "where":
                "photo.get", "every": 20}]}, or the list of faults alone; [] for nothing. See
                `collectors.sandbox.faults.Fault`.

        Raises:
            SandboxError: when the sandbox is not running, or does not understand the plan.
        """
        self._ask("POST", "/_sandbox/faults", json.dumps(plan).encode())

    def change_photos(
        self,
        *,
        gone: Iterable[str] = (),
        private: Iterable[str] = (),
        licences: Mapping[str, int] | None = None,
    ) -> None:
        """Says what became of photos; what was said before of any of them holds no more.

        Args:
            gone: ids of photos that were deleted.
            private: ids of photos that only their owner sees.
            licences: the licence numbers that photos have now, by id.

        Raises:
            SandboxError: when the sandbox is not running, or a licence does not exist.
        """
        document = {"gone": [*gone], "private": [*private], "licences": dict(licences or {})}
        self._ask("POST", "/_sandbox/photos", json.dumps(document).encode())

    def faults_done(self) -> dict[str, int]:
        """Gives how often each fault happened since the plan was made known.

        Returns:
            For example {"reset photo.get": 3}.

        Raises:
            SandboxError: when the sandbox is not running.
        """
        done: dict[str, int] = json.loads(self._ask("GET", "/_sandbox/faults"))
        return done

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        if not self.running:
            raise SandboxError("the sandbox is not running: start it first")
        connection = http.client.HTTPConnection(self.photo_host, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise SandboxError(f"{method} {path}: {content.decode('utf-8', 'replace')}")
        return content

    def _read_log(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return self._log.read()[-_LOG_TAIL_BYTES:].decode("utf-8", errors="replace").strip()

    def _forget(self) -> None:
        if self._child is not None:
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log is not None:
            self._log.close()
        self._child = self._log = None


def _read_line(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Reads the first line of stdout; empty when the process has ended, or was too slow."""
    lines: list[Any] = []
    pipe = child.stdout
    if pipe is None:
        return b""
    reader = threading.Thread(target=lambda: lines.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    if reader.is_alive():
        # The end of the process ends the reading, too.
        child.kill()
        reader.join()
    return bytes(lines[0]) if lines else b""
