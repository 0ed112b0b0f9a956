"""How much of a shared limit four processes use together, and that they never exceed it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from collectors.sandbox import Sandbox
from tests.benchmarks.lines import report
from tests.flows.limit_processes import callers, environment
from tests.flows.prefect_server import Server
from tests.flows.shared_limits import most_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flows.limit_processes import Caller

PROCESSES = 4
FULL = {"earth_engine_connections": 40, "earth_engine_requests_per_second": 92}
"""Of 100 requests a second 92: each process begins one at once, and what is sent evenly does not
come evenly."""

SETTLE_S = 10
"""From the first call until all have a share; that time is looked at for excess, not for use."""


def call_for(
    seconds: float, wanted: str, sandbox: Sandbox, server: Server, **settings: float
) -> dict:
    """Lets four processes call together, and returns the traffic of the service they called."""
    environ = environment(sandbox, server, **settings)
    with callers(PROCESSES, wanted, environ) as started:
        sandbox.reset()
        _go(started)
        time.sleep(SETTLE_S + seconds)
        seen = sandbox.traffic()[wanted]
        for one in started:
            one.end()
    return seen


def _go(started: list[Caller]) -> None:
    for one in started:
        one.go()


def rate(times: list[float], seconds: float) -> float:
    """Returns the calls a second in the last so many seconds."""
    return sum(time > times[-1] - seconds for time in times) / seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prefect server."""
    with Server(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.mark.benchmark
def test_limit_use_four_processes_of_flickr(server: Server) -> None:
    """Flickr's call a second: at most 11 in any 10 s, one at a time."""
    with Sandbox(seed=3) as sandbox:
        seen = call_for(90, "flickr", sandbox, server, **FULL)  # the first makes all limits
    within = most_within(seen["times_s"], 10)
    report(
        "limit_use_four_processes", round(rate(seen["times_s"], 90), 3),
        "share of 1 call a second", "≥ 0.9, and at most 11 in any 10 s", limit="Flickr",
        most_in_10_s=within, most_at_once=seen["most_at_once"], seconds=90, processes=PROCESSES,
    )  # fmt: skip
    assert within <= 11
    assert seen["most_at_once"] == 1


@pytest.mark.benchmark
def test_limit_use_four_processes_of_the_slots(server: Server) -> None:
    """Earth Engine's 40 requests at once, each of which takes a second."""
    with Sandbox(seed=3, latency_s={"ee.value": 1.0}) as sandbox:
        seen = call_for(30, "ee", sandbox, server, **FULL)
    report(
        "limit_use_four_processes", round(rate(seen["times_s"], 30) / 40, 3),
        "share of 40 requests at once, each of 1 s", "≥ 0.9, and at most 40 at once",
        limit="Earth Engine, at once", most_at_once=seen["most_at_once"], seconds=30,
        processes=PROCESSES,
    )  # fmt: skip
    assert seen["most_at_once"] <= 40


@pytest.mark.benchmark
def test_limit_use_four_processes_of_the_rate(server: Server) -> None:
    """Earth Engine's 100 requests a second, of which the settings allow 92."""
    with Sandbox(seed=3) as sandbox:
        seen = call_for(30, "ee", sandbox, server, **FULL)
    within = most_within(seen["times_s"], 1)
    report(
        "limit_use_four_processes", round(rate(seen["times_s"], 30) / 100, 3),
        "share of 100 requests a second", "≥ 0.9, and at most 100 in any second",
        limit="Earth Engine, rate", most_in_1_s=within, most_at_once=seen["most_at_once"],
        seconds=30, processes=PROCESSES,
    )  # fmt: skip
    assert within <= 100
    assert seen["most_at_once"] <= 40
