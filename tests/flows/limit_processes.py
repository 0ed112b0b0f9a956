"""Processes that call a sandbox through limits that they share at a Prefect server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from flows.settings import PREFIX
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.sandbox import Sandbox
    from tests.flows.prefect_server import Server


def environment(sandbox: Sandbox, server: Server, **settings: Any) -> dict[str, str]:
    """Returns what a process needs in its environment to call this sandbox by shared limits."""
    values = {
        "flickr_key": sandbox.flickr_key,
        "flickr_secret": sandbox.flickr_secret,
        "flickr_url": sandbox.flickr_url,
        "photo_hosts": json.dumps([sandbox.photo_host]),
        "earth_engine_project": sandbox.project,
        "earth_engine_service_account": json.dumps(sandbox.service_account),
        "earth_engine_url": sandbox.earth_engine_url,
        "patience_seconds": 60,
        **settings,
    }
    own = {PREFIX + name.upper(): str(value) for name, value in values.items()}
    return os.environ | server.environment | own | {"PYTHONPATH": str(ROOT)}


class Caller:
    """A process that calls as often as its limits let it."""

    def __init__(self, wanted: str, environment: dict[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.limit_worker", wanted],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Waits until it has connected."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line == "ready\n", line

    def go(self) -> None:
        """Lets it begin to call."""
        assert self._child.stdin is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()

    def end(self) -> dict[str, int]:
        """Ends it in good order, and returns how many calls it made."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        made: dict[str, int] = json.loads(self._child.stdout.readline() or "{}")
        self._child.wait(30)
        return made

    def kill(self) -> None:
        """Ends it as kill -9 does; one that has ended is let be."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def callers(number: int, wanted: str, environment: dict[str, str]) -> Iterator[list[Caller]]:
    """Starts processes, and waits until all have connected; what is left of them is killed."""
    with ExitStack() as stack:
        started = [Caller(wanted, environment) for _ in range(number)]
        for one in started:
            stack.callback(one.kill)
        for one in started:
            one.wait_until_ready()
        yield started


def wait_for(met: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until a condition is met.

    Raises:
        AssertionError: If it is not met within so many seconds.
    """
    last = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < last, f"{what}: not within {seconds} s"
        time.sleep(0.2)
