"""A real Prefect server with workers in processes of their own, on Prefect's side and on Dask's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.runs.artifacts import FUNNEL, PROGRESS
from flows.verification.verification import verify_dataset
from tests import plain_http
from tests.flows.far_workers import environment_of, shrink
from tests.flows.power_cuts import manifests
from tests.flows.prefect_server import ROOT, Server, free_port, running, wait_until
from tests.flows.runs import Run, small_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collectors.sandbox import Sandbox

PYTHON = sys.executable
SINCE, UNTIL = date(2019, 1, 1), date(2023, 12, 31)
BAY: dict[str, Any] = {"cells": 2, "seed": 5, "since": str(SINCE), "until": str(UNTIL)}
ALPS: dict[str, Any] = BAY | {"region": "alps", "cells": 1}
WINDOW: dict[str, Any] = {"since": SINCE, "until": UNTIL}


@dataclass
class World:
    """What all tests here share: a server, a checkout as a worker has it, and the services.

    Attributes:
        server: Prefect's.
        checkout: A folder with the code, prefect.yaml and a small catalogue.
        environment: For programs that build: the server's address, and keys.
        run: Builds the same in this process, without Prefect.
    """

    server: Server
    checkout: Path
    environment: dict[str, str]
    run: Run

    @property
    def folder(self) -> Path:
        """Where datasets and logs are."""
        return self.server.folder

    def build(self, root: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Begins `terrapair build` of the bay's two cells."""
        return subprocess.Popen(
            [PYTHON, "-m", "flows", "build", "bay", "--root", str(root), "--cells", "2",
             "--seed", "5", "--since", str(SINCE), "--until", str(UNTIL), "--json", *arguments],
            cwd=self.checkout, env=self.environment | variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server that was just started, with nothing deployed."""
    folder = tmp_path_factory.mktemp("machines")
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("flows", "filters", "collectors", "prefect.yaml"):
        (checkout / name).symlink_to(ROOT / name)
    catalogue = small_catalogue(checkout / "data_catalog.yaml", shrink, quota=8)
    with Server(folder / "server") as server:
        environment = server.environment | environment_of(sandbox, folder / "cache")
        yield World(server, checkout, environment, Run(sandbox, catalogue, folder / "cache"))


@pytest.fixture(scope="module")
def alone(world: World) -> dict[str, bytes]:
    """The manifests of the bay's two cells, built in one process."""
    world.run.build(world.folder / "alone", regions=("bay",), **WINDOW)
    return manifests(world.folder / "alone")


@pytest.fixture(scope="module")
def deployed(world: World) -> World:
    """The world with all deployments of prefect.yaml, as its comments say to make them."""
    world.server.prefect("work-pool", "create", "terrapair", "--type", "process")
    world.server.prefect(
        "deploy", "--all", folder=world.checkout, TERRAPAIR_ROOT=str(world.folder / "together")
    )
    return world


@pytest.fixture(scope="module")
def workers(deployed: World) -> Iterator[tuple[Path, Path]]:
    """The logs of two workers on the pool, each for one run at a time."""
    environment = deployed.environment | {"TERRAPAIR_HOME": str(deployed.checkout)}
    logs = deployed.folder / "first.log", deployed.folder / "second.log"
    with ExitStack() as stack:
        for log in logs:
            command = [PYTHON, "-m", "prefect", "worker", "start", "--pool", "terrapair",
                       "--type", "process", "--name", log.stem, "--limit", "1"]  # fmt: skip
            stack.enter_context(running(command, environment, log, deployed.folder))
        yield logs


def deployment(world: World, name: str) -> dict[str, Any]:
    """Returns what the server knows of a deployment."""
    found: dict[str, Any] = plain_http.get(f"{world.server.url}/deployments/name/{name}").json()
    return found


def shown(world: World) -> dict[str, dict[str, Any]]:
    """Returns what Prefect's pages show of each flow run: data of its artifacts by their key."""
    found: dict[str, dict[str, Any]] = {}
    for one in world.server.ask("artifacts/filter"):
        found.setdefault(one["flow_run_id"], {})[one["key"]] = one["data"]
    return found


def check_that_no_key_is_written(world: World) -> None:
    """Not a byte of Prefect's records, of any log, dataset or worker's folder holds a key."""
    values = [world.environment[f"TERRAPAIR_{name}"] for name in ("FLICKR_KEY", "FLICKR_SECRET")]
    account = json.loads(world.environment["TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT"])
    values += [account["private_key"].splitlines()[1], account["private_key_id"]]
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    assert {"prefect.db", "server.log"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not [one for one in values if one.encode() in content], path


def test_builds_do_not_overlap_themselves_and_backfills_queue(deployed: World) -> None:
    """While one is about to run, the server cancels a second build and lets a backfill wait."""
    ends = []
    for name in ("build/weekly", "backfill/backfill"):
        one = deployment(deployed, name)
        later = {"type": "SCHEDULED", "state_details": {
            "scheduled_time": (datetime.now(UTC) + timedelta(days=1)).isoformat()}}  # fmt: skip
        path = f"deployments/{one['id']}/create_flow_run"
        runs = [deployed.server.ask(path, state=later)["id"] for _ in range(2)]
        for run in runs:
            pending = {"type": "PENDING", "state_details": {}}
            deployed.server.ask(f"flow_runs/{run}/set_state", state=pending)
        ends.append([deployed.server.state(run) for run in runs])
        for run in runs:
            cancelled = {"type": "CANCELLED", "state_details": {}}
            deployed.server.ask(f"flow_runs/{run}/set_state", state=cancelled, force=True)
    assert ends == [["PENDING", "CANCELLED"], ["PENDING", "SCHEDULED"]]


def test_a_schedule_and_a_backfill_by_hand_on_two_workers(
    deployed: World, workers: tuple[Path, Path], alone: dict[str, bytes]
) -> None:
    """At the same time on the same cells: both end well, nothing is lost, nothing is twice."""
    server = deployed.server
    weekly = deployment(deployed, "build/weekly")["id"]
    for log in workers:
        wait_until(lambda log=log: "started!" in log.read_text(), f"worker {log.stem}")
    given = (f"--param={name}={value}" for name, value in (BAY | {"region": "bay"}).items())
    server.prefect("deployment", "run", "backfill/backfill", *given, "--start-in", "5 seconds")
    start = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    schedule = {"active": True, "parameters": BAY | {"regions": ["bay"]},
                "schedule": {"interval": 86400 * 365, "anchor_date": start}}  # fmt: skip
    server.ask(f"deployments/{weekly}/schedules", [schedule])

    def both() -> list[dict[str, Any]]:
        found = server.runs()
        ended = [one for one in found if one["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}]
        return ended if len(ended) == 2 else []

    ended = wait_until(both, "the end of both runs")
    logs = [log.read_text() for log in workers]
    assert [one["state_type"] for one in ended] == ["COMPLETED"] * 2, "\n".join(logs)
    assert sorted(one["auto_scheduled"] for one in ended) == [False, True]
    # A worker that came second for a run names it as well, but begins nothing.
    first, second = (next(log for log in logs if f"/flow-run/{one['id']}" in log) for one in ended)
    assert first is not second
    told = [cells_told(log) for log in (first, second)]
    assert [sum(one) for one in told] == [2, 2], "\n".join(logs)
    # A run that comes when the other has finished a cell has nothing to do there.
    assert sum(ended for ended, _ in told) >= 2
    root = deployed.folder / "together"
    assert manifests(root) == alone
    for one, (done, _) in zip(ended, told, strict=True):
        assert shown(deployed)[one["id"]].get(PROGRESS) == (100 if done else None)
        assert '"what": "seen"' in shown(deployed)[one["id"]][FUNNEL]
    check_that_no_key_is_written(deployed)
    assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []


def cells_told(log: str) -> tuple[int, int]:
    """Returns of how many cells a log tells what came, and how many it says were finished."""
    ended = set(re.findall(r"cell (r118c05[56]) \w+ \(\d/\d\): \d+ photos seen", log))
    idle = re.search(r"(\d) of 2 cells have nothing new to do", log)
    return len(ended), int(idle[1]) if idle else 0


@pytest.mark.benchmark
def test_a_cancelled_run_is_taken_up_again(
    deployed: World, workers: tuple[Path, Path], sandbox: Sandbox
) -> None:
    """Its process ends, and what is fetched twice is no more than was under way."""
    server, root = deployed.server, deployed.folder / "cancelled"
    parameters = ALPS | {"root": str(root)}

    def begin() -> str:
        with temporary_settings({PREFECT_API_URL: server.url}):
            begun = run_deployment(
                "backfill/backfill", parameters=parameters, timeout=0, as_subflow=False
            )
        return str(begun.id)

    sandbox.faults({"latency": {"ee.features": 4.0, "ee.get_pixels": 4.0}, "faults": []})
    sandbox.reset()
    run = begin()
    wait_until(lambda: list(root.glob("shards/*/*.tar")), "a shard of photos")
    pid = server.runs(id=run)[0]["infrastructure_pid"]
    server.ask(f"flow_runs/{run}/set_state", state={"type": "CANCELLING", "state_details": {}})
    server.wait_for(run, "CANCELLED")
    if pid is not None:
        wait_until(lambda: not psutil.pid_exists(int(str(pid).split(":")[-1])), "the process's end")
    sandbox.faults([])
    assert server.wait_for(begin(), "COMPLETED", "FAILED", "CRASHED") == "COMPLETED"
    twice = sandbox.counts()["photo.get"]
    sandbox.reset()
    deployed.run.build(deployed.folder / "alps", kind="backfill", region="alps", **WINDOW, cells=1)
    once = sandbox.counts()["photo.get"]
    at_once = int(deployed.environment["TERRAPAIR_PHOTO_CONNECTIONS"])
    assert once <= twice <= once + at_once
    assert manifests(root) == manifests(deployed.folder / "alps")


@contextmanager
def dask_workers(world: World) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler's address, and its two workers, each for one cell at a time."""
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = [PYTHON, "-m", "dask"]
    commands = {"scheduler": [*dask, "scheduler", "--host", "127.0.0.1", "--no-dashboard",
                              "--port", address.rsplit(":", 1)[1]]}  # fmt: skip
    for name in ("left", "right"):
        folder = str(world.folder / name)
        commands[name] = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard",
                          "--no-nanny", "--name", name, "--local-directory", folder]  # fmt: skip
    with ExitStack() as stack:
        _, *workers = [
            stack.enter_context(
                running(command, world.environment, world.folder / f"dask-{name}.log", world.folder)
            )
            for name, command in commands.items()
        ]
        yield address, workers


def test_a_run_on_dask_is_the_same_as_in_one_process(
    world: World, alone: dict[str, bytes], sandbox: Sandbox
) -> None:
    """Two worker processes: the same bytes of manifest; their requests are in the outcome."""
    root = world.folder / "dask"
    sandbox.reset()
    with dask_workers(world) as (address, _workers):
        build = world.build(root, "--runner", "dask", "--scheduler", address)
        said, errors = build.communicate()
    assert build.returncode == 0, errors
    assert "Traceback" not in errors
    outcome = json.loads(said)
    assert outcome["cells"] == {"committed": 2}
    assert manifests(root) == alone
    served = sandbox.counts()
    asked = outcome["requests"]
    assert asked["flickr"] == served["flickr.search"]
    assert asked["photo_host"] == served["photo.get"]
    assert asked["earth_engine_pixels"] == served["ee.get_pixels"]
    # The run itself logged in once, and each worker that had a cell.
    assert served["ee.token"] == 3
    check_that_no_key_is_written(world)


@pytest.mark.benchmark
def test_a_dask_worker_that_dies_leaves_its_cell_to_the_other(
    world: World, alone: dict[str, bytes], sandbox: Sandbox
) -> None:
    """Killed while both are at work: the other takes the cell up where its shards end."""
    root = world.folder / "widowed"
    sandbox.faults({"latency": {"ee.get_pixels": 10.0}, "faults": []})
    sandbox.reset()
    with dask_workers(world) as (address, workers):
        begun = world.build(root, "--runner", "dask", "--scheduler", address)
        wait_until(lambda: len(list(root.glob("steps/*/*-placed*"))) == 2, "both cells' chips")
        workers[0].kill()
        sandbox.faults([])
        said, errors = begun.communicate()
    assert begun.returncode == 0, errors
    assert json.loads(said)["cells"] == {"committed": 2}
    assert manifests(root) == alone
    twice = sandbox.counts()["photo.get"]
    sandbox.reset()
    world.run.build(world.folder / "whole", regions=("bay",), **WINDOW)
    assert twice == sandbox.counts()["photo.get"]


@pytest.mark.benchmark
def test_a_server_that_goes_away_in_mid_run_costs_nothing(
    world: World, alone: dict[str, bytes], sandbox: Sandbox
) -> None:
    """The run goes on to its end and says what is missing; the next one finds all done."""
    root = world.folder / "away"
    sandbox.faults({"latency": {"ee.get_pixels": 2.0}, "faults": []})
    sandbox.reset()
    begun = world.build(root, PREFECT_CLIENT_MAX_RETRIES="0")
    wait_until(lambda: sandbox.counts().get("ee.get_pixels"), "a request for a chip")
    world.server.kill()
    sandbox.faults([])
    said, errors = begun.communicate()
    assert begun.returncode == 0, errors
    assert "Prefect's server went away" in " ".join(errors.split())
    assert "Traceback" not in errors
    assert json.loads(said)["cells"] == {"committed": 2}
    assert manifests(root) == alone
    sandbox.reset()
    again = world.run.build(root, regions=("bay",), **WINDOW)
    assert again["cells"] == {"unchanged": 2}
    assert sandbox.counts().get("photo.get", 0) == 0
    assert manifests(root) == alone
