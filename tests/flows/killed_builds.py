"""Builds in processes of their own, killed at seeded instants and started again."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from collectors.earth_engine import EarthEngine
from collectors.photo_files import PhotoHost
from collectors.shards import read_index
from collectors.storage import open_store
from flows.cells.state import latest_generations, load_cell
from flows.demo import END_OF_WORLD, sandbox_settings
from flows.runs.building import SilentWatcher
from flows.runs.running import SURROUNDINGS, Surroundings, Task, run_task
from flows.settings import read_settings
from tests.flows.power_cuts import SERVICES, visible_requests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

LATE_IMPORTS = ("collectors.time_zones", "duckdb", "filters.indoor", "filters.indoor_engines",
                "rasterio", "torchvision.models")  # fmt: skip
"""What a build imports when it needs it."""

LONGEST_LEG_S = 120.0
"""A build of these tests that takes longer hangs."""


def build(settings: dict[str, Any], task: Task, log: str) -> None:
    """Builds in this process; the ids of what is asked for go to a file before it is asked for."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    fetch, read = PhotoHost.fetch, EarthEngine.read

    def logged_fetch(self: PhotoHost, photo: Any) -> Any:
        os.write(out, f"{photo.photo_id}\n".encode())
        return fetch(self, photo)

    def logged_read(self: EarthEngine, chip: Any, *rest: Any) -> Any:
        os.write(out, f"{chip.chip_id}\n".encode())
        return read(self, chip, *rest)

    PhotoHost.fetch, EarthEngine.read = logged_fetch, logged_read  # type: ignore[method-assign]
    SURROUNDINGS.set(Surroundings(read_settings(settings), SilentWatcher(), END_OF_WORLD))
    run_task(task)


@dataclass
class Toll:
    """What some kills cost.

    Attributes:
        kills: Processes killed.
        datasets: Datasets that were finished in spite of them.
        requests: Requests that the sandbox counted.
        repeated: Requests for what a shard held already when the process began.
        in_flight: The most items that had been asked for and were in no shard when one was killed.
        at: Share of the work that was still to be done at which each process was killed.
    """

    kills: int = 0
    datasets: int = 0
    requests: int = 0
    repeated: int = 0
    in_flight: int = 0
    at: list[float] = field(default_factory=list)


class Killer:
    """Starts builds of one order and kills them."""

    def __init__(self, run: Run, catalogue: Path, folder: Path, **order: Any) -> None:
        """Takes what is built; everything is written below the folder."""
        self._sandbox = run.sandbox
        self._settings = sandbox_settings(run.sandbox) | {"weights_cache": run.cache}
        self._task = {"kind": "build", "catalogue_path": catalogue, "seed": 5} | order
        self._folder = folder
        # The modules are imported once; each build is a fork that has done nothing yet.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([__name__, *LATE_IMPORTS])

    def finish(self, root: Path) -> int:
        """Builds without a kill and returns how many requests it took."""
        self._sandbox.reset()
        process = self._start(root, self._folder / "unkilled.log")
        process.join(LONGEST_LEG_S)
        assert process.exitcode == 0
        return self._counted()

    def kill(self, roots: list[Path], kills: int, seed: int, whole: int) -> Toll:
        """Kills so many builds at random and lets each dataset come to its end.

        Args:
            roots: Where to build, one after the other, as long as there are kills left.
            kills: How many.
            seed: Of chance.
            whole: Requests that a build takes which nobody stops.
        """
        chance = random.Random(seed)
        toll = Toll()
        waiting = list(roots)
        while toll.kills < kills:
            root = waiting.pop(0)
            while toll.kills < kills:
                done = sum(visible_requests(str(root)).values()) if root.exists() else 0
                share = chance.random()
                if not self._leg(root, 1 + int(share * (whole - done)), toll):
                    break
                toll.at.append(round(share, 3))
            else:
                self._leg(root, None, toll)
            toll.datasets += 1
        return toll

    def _leg(self, root: Path, deadly: int | None, toll: Toll) -> bool:
        """Builds until the request of that number, then kills; False if it came to its end."""
        before = visible_items(root)
        log = self._folder / f"leg-{toll.kills}-{toll.datasets}.log"
        self._sandbox.reset()
        process = self._start(root, log)
        deadline = time.monotonic() + LONGEST_LEG_S
        killed = False
        while process.is_alive():
            assert time.monotonic() < deadline, "the build hangs"
            if deadly is not None and self._counted() >= deadly:
                process.kill()
                killed = True
                break
            process.join(0.004)
        process.join(LONGEST_LEG_S)
        toll.requests += self._counted()
        asked = log.read_text().split() if log.exists() else []
        toll.repeated += sum(one in before for one in asked)
        if not killed or process.exitcode == 0:
            assert process.exitcode == 0
            return False
        toll.kills += 1
        toll.in_flight = max(toll.in_flight, len(set(asked) - visible_items(root)))
        return True

    def _start(self, root: Path, log: Path) -> Any:
        task = Task(root=str(root), **self._task)
        process = self._processes.Process(target=build, args=(self._settings, task, str(log)))
        process.start()
        return process

    def _counted(self) -> int:
        counts = self._sandbox.counts()
        return sum(counts.get(name, 0) for name in SERVICES)


def visible_items(root: Path) -> set[str]:
    """Returns the ids of photos and chips that stand in shards, or in rows that are committed."""
    if not root.exists():
        return set()
    store = open_store(str(root), writable=False)
    found = {row["item_id"] for path in store.list("shards") for row in read_index(store, path)}
    for cell_id in latest_generations(store):
        state = load_cell(store, cell_id)
        found |= {row.photo_id for row in (*state.photos, *state.rejects)}
    return found


def lost_rows(whole: Path, resumed: Path) -> int:
    """Returns how many rows of one dataset's newest version are not in another's."""
    import duckdb

    lost = 0
    for product in ("photos", "chips", "pairs", "rejects"):
        one, other = (f"{root}/manifests/v0001/{product}/*.parquet" for root in (whole, resumed))
        (found,) = duckdb.sql(
            f"SELECT count(*) FROM (SELECT * FROM '{one}' EXCEPT ALL SELECT * FROM '{other}')"
        ).fetchall()
        lost += found[0]
    return lost
