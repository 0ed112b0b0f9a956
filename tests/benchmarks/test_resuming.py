"""What being stopped costs: nothing that was finished, at any instant, on any storage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from collectors.storage import open_store
from flows.catalogue.catalogue import load_catalogue
from flows.cells.photo_stage import PHOTO_BATCH
from flows.cells.state import CellState, commit_cell, load_cell, read_commit
from flows.demo import END_OF_WORLD
from flows.runs.building import Wish, plan_orders
from tests.benchmarks.lines import report
from tests.collectors.s3_server import S3Server
from tests.flows.killed_builds import Killer, lost_rows
from tests.flows.power_cuts import CrashSweep, keep_clients, manifests
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from flows.cells.orders import Order
    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark


def shrink(document: Any) -> None:
    """Makes chips small: what is measured is not how long pixels take."""
    for sensor in ("sentinel2", "naip"):
        document["sources"][sensor] |= {"size_px": 160, "area_px": 80}


def test_crash_at_every_operation(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after every single operation of a build; each is started again once."""
    sweep = CrashSweep(run, tiny, tmp_path, monkeypatch, regions=("bay",), cells=1)
    twice = [
        sweep.crash(at, after=after)
        for at in range(1, len(sweep.operations) + 1)
        for after in (False, True)
    ]
    kinds = {name: sweep.operations.count(name) for name in sorted(set(sweep.operations))}
    report(
        "crash_at_every_operation", len(twice), "crashes",
        "manifests, files and requests as of a build that was never stopped",
        operations=kinds, requests=sweep.requests, most_requests_in_flight=max(twice),
        crashes_that_repeated_a_request=sum(count > 0 for count in twice),
    )  # fmt: skip


def test_kill_restart(run: Run, tmp_path: Path) -> None:
    """20 kill -9 at random requests, each started again, over as many datasets as that takes."""
    catalogue = small_catalogue(tmp_path / "data_catalog.yaml", shrink, quota=24)
    killer = Killer(run, catalogue, tmp_path, regions=("bay",), cells=1)
    whole = killer.finish(tmp_path / "whole")
    roots = [tmp_path / f"killed-{number}" for number in range(21)]
    toll = killer.kill(roots, kills=20, seed=7, whole=whole)
    lost = sum(lost_rows(tmp_path / "whole", root) for root in roots[: toll.datasets])
    same = all(manifests(root) == manifests(tmp_path / "whole") for root in roots[: toll.datasets])
    more = {
        "kills": toll.kills, "datasets": toll.datasets, "manifests_equal": same, "seed": 7,
        "requests_of_a_whole_build": whole, "requests": toll.requests,
        "requests_in_flight_made_again": toll.requests - whole * toll.datasets,
        "most_items_in_flight": toll.in_flight, "killed_at_share_of_what_was_left": toll.at,
    }  # fmt: skip
    report("kill_restart_lost", lost, "rows", "0", **more)
    report("kill_restart_repeated", toll.repeated, "requests", "0: of what a shard held", **more)
    assert same
    assert toll.in_flight <= PHOTO_BATCH


def moved(state: CellState, order: Order, number: int) -> CellState:
    """Returns the photos of a cell in another cell, under other ids, as if each were border."""
    box = order.ground.cell.box
    photos = tuple(
        replace(
            photo, photo_id=f"{number:04d}{photo.photo_id}", cell=order.cell_id,
            lon=(box.west + box.east) / 2, lat=(box.south + box.north) / 2, picture_hash="",
            unpaired=dict.fromkeys(order.sensors, "border"),
        )
        for photo in state.photos
    )  # fmt: skip
    survey = replace(state.surveyed[0], ground=order.ground_key, quota=len(photos), ended="quota")
    return replace(
        state, cell_id=order.cell_id, photos=photos, rejects=(), chips=(), pairs=(),
        surveyed=(survey,),
    )  # fmt: skip


def test_resume_1000_cells_seconds(run: Run, tiny: Path, tmp_path: Path) -> None:
    """A build of 1,000 cells that have their quota; imports and Prefect are left aside."""
    run.build(tmp_path / "model", catalogue=tiny, regions=("bay",), cells=1)
    model = open_store(str(tmp_path / "model"))
    (name,) = {path.split("/")[1] for path in model.list("cells")}
    state, seed = load_cell(model, name), read_commit(model, name, 1)["seed"]

    def widen(document: Any) -> None:
        shrink(document)
        document["regions"] = {"wide": {"box": [-105.0, 20.0, -64.0, 43.0]}}

    path = small_catalogue(tmp_path / "wide.yaml", widen, quota=6)
    catalogue = load_catalogue(path)
    wish = Wish("wide", catalogue.polygons("wide", tmp_path), tuple(catalogue.sensors))
    orders = plan_orders(
        [wish], taken_from=catalogue.flickr.taken_since, taken_until=END_OF_WORLD.date(),
        now=END_OF_WORLD, seed=seed, cells=1000,
    )  # fmt: skip
    assert len(orders) == 1000
    root = tmp_path / "wide"
    store = open_store(str(root))
    for one in ("dataset.json", "inference.json"):
        store.create(one, model.read(one))
    for number, order in enumerate(orders):
        commit_cell(store, moved(state, order, number), catalogue, seed)
    # The first one publishes; like every later one it finds nothing to do.
    run.build(root, catalogue=path, cells=1000)
    run.sandbox.reset()
    started, cpu = time.perf_counter(), time.process_time()
    outcome = run.build(root, catalogue=path, cells=1000)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    assert outcome["cells"] == {"unchanged": 1000}
    assert not outcome["version_is_new"]
    report(
        "resume_1000_cells_seconds", round(seconds, 2), "s", "< 5",
        cpu_seconds=round(cpu_seconds, 2), cells=1000,
        photos=outcome["rows"]["photos"], storage="local disk",
        requests={name: count for name, count in run.sandbox.counts().items() if count},
    )  # fmt: skip


def test_a_minute_of_503(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 503 to everything for a minute, from the first shard on."""
    keep_clients(monkeypatch)
    run.build(tmp_path / "whole", catalogue=tiny, regions=("bay",), cells=1)
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        since: list[float] = []

        def judge(_method: str, path: str) -> int | None:
            if "/shards/" in path and path.endswith(".tar") and not since:
                since.append(time.monotonic())
            return 503 if since and time.monotonic() - since[0] < 60 else None

        server.judge = judge
        root = f"s3://{server.bucket}/d"
        run.sandbox.reset()
        run.build(
            root, catalogue=tiny, regions=("bay",), cells=1, settings={"patience_seconds": 300.0}
        )
        seconds = time.monotonic() - since[0]
        store = open_store(root, writable=False)
        same = {
            path.partition("/")[2]: store.read(path)
            for path in store.list("manifests")
            if "." in path
        } == manifests(tmp_path / "whole")
    report(
        "s3_503_for_a_minute", round(seconds, 1), "s", "the build waits and ends as any other",
        manifests_equal=same, downloads=run.sandbox.counts()["photo.get"],
    )  # fmt: skip
    assert same
