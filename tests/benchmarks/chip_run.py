"""One measured build of chips in a process of its own, so that its CPU time and memory are its own.

`python -m tests.benchmarks.chip_run '{"cells": 8, …}'` prints a line of JSON. The photos are made
up and given, and chips are placed and scenes found beforehand, as a build that was stopped there
would have left them: what is measured begins with the first request for pixels and ends with the
last commit. Everything from `collect_guarded` on is the project's own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import numpy as np
import psutil

import flows.cells.cell
from collectors.cells import Cell, Ground
from collectors.sandbox import Sandbox
from collectors.shards import pack, write_shard
from collectors.storage import Store, open_store
from flows.catalogue.catalogue import load_catalogue
from flows.cells.chip_stage import ChipStage, Placed
from flows.cells.orders import Order
from flows.cells.services import COMPUTING_THREADS, Services
from flows.demo import sandbox_settings
from flows.products.rows import PhotoRow
from flows.runs.building import SilentWatcher, collect_guarded
from flows.settings import read_settings
from tests.benchmarks.placement_run import peak_gb
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.chips import Chip, Scene
    from flows.cells.state import CellState
    from flows.cells.work import CellWork

SEED: Final = 17
AT_ONCE: Final = 40
"""Requests that Earth Engine lets a project have under way (its guide, "Quotas")."""

FIRST_ANSWERS: Final = 24
"""Chips of a sensor and cell that are asked for before anything is measured."""

PARTS: Final = {
    "collectors.earth_engine.EarthEngine.send": "request and answer",
    "collectors.earth_engine_answers.read_npy": "NPY",
    "collectors.earth_engine.average_by_area": "area average",
    "flows.cells.chip_work.measure": "quality",
    "flows.cells.chip_work.encode_chip": "GeoTIFF",
    "flows.cells.batches.pack": "hashes and tar",
    "collectors.storage.Store.create": "writing",
    "flows.cells.cell.commit_cell": "Parquet and commit",
}
"""Where CPU time goes: functions, in none of which another of them counts twice."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is built.

    Attributes:
        cells: Cells with photos, eight in a row from California eastward, where both sensors see.
        photos: Photos in each, by half more or less: nearly as many chips of each sensor.
        size_px: Width of a chip.
        latency_s: What the stand-in waits before every answer with pixels.
        cells_at_once: Cells in work at the same time.
        level: Level of compression; None for the project's own.
    """

    cells: int
    photos: int
    size_px: int = 448
    latency_s: float = 1.0
    cells_at_once: int = 4
    level: int | None = None


class Meter:
    """CPU seconds of the threads inside some functions, what is called within them apart."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._own = threading.local()

    def measured(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the same work, measured."""

        @wraps(work)
        def run(*args: Any, **named: Any) -> Any:
            outer, self._own.inside = getattr(self._own, "inside", 0.0), 0.0
            started = time.thread_time()
            try:
                return work(*args, **named)
            finally:
                taken = time.thread_time() - started
                with self._lock:
                    self.seconds[name] += taken - self._own.inside
                self._own.inside = outer + taken

        return run


class MadePhotos:
    """Photos of a cell, instead of those that a survey finds."""

    count = 0

    def __init__(self, work: CellWork, state: CellState, _tell: object) -> None:
        self._work, self._state = work, state

    def run(self) -> CellState:
        """Returns the cell with photos anywhere in it, of the years that both sensors know."""
        cell = self._work.order.ground.cell
        photos = list(self._photos(cell, np.random.default_rng((SEED, cell.row, cell.column))))
        packed = pack([(f"{one.photo_id}.jpg", one.photo_id.encode()) for one in photos], [])
        shard = write_shard(self._work.services.store, cell.cell_id, packed)
        places = [packed.places[f"{one.photo_id}.jpg"] for one in photos]
        stored = tuple(
            replace(photo, shard=shard, offset=one.offset, size=one.size, sha256=one.sha256)
            for photo, one in zip(photos, places, strict=True)
        )
        return replace(self._state, photos=stored)

    def _photos(self, cell: Cell, rng: np.random.Generator) -> Iterator[PhotoRow]:
        box = cell.box
        for number in range(int(rng.integers(self.count // 2, self.count * 3 // 2))):
            taken = datetime(2019, 1, 1, 12) + timedelta(days=int(rng.integers(0, 1400)))  # noqa: DTZ001 - local time
            yield PhotoRow(
                photo_id=f"{cell.cell_id[1:4]}{cell.cell_id[5:]}{number:05d}", owner=f"o{number}",
                lon=float(rng.uniform(box.west, box.east)),
                lat=float(rng.uniform(box.south, box.north)), accuracy=16, taken_at=taken,
                taken_at_utc=taken.replace(tzinfo=UTC), time_zone="UTC", taken_granularity=0,
                uploaded_at=taken.replace(tzinfo=UTC), licence="CC-BY-2.0", attribution="x",
                page_url="https://x", image_url="https://x", title="", tags="",
                cell=cell.cell_id, indoor_probability=0.1, shard="", offset=0, size=0, sha256="",
                width=448, height=336, picture_hash="0", unpaired={}, generation=1,
            )  # fmt: skip


class Enough(Exception):  # noqa: N818 - what was wanted is there
    """The chips are placed."""


def main() -> None:
    """Builds what the plan says and prints what it took."""
    plan = Plan(**json.loads(sys.argv[1]))
    MadePhotos.count = plan.photos
    first = Cell.at(-121.0, 36.2)
    orders = [
        Order(
            Ground(cell, cell.box.polygon(), 1.0), ("sentinel2", "naip"), date(2019, 1, 1),
            date(2022, 12, 31), datetime(2026, 6, 1, tzinfo=UTC), SEED,
        )
        for cell in (
            Cell(first.row + number // 8, first.column + number % 8)
            for number in range(plan.cells)
        )
    ]  # fmt: skip
    limits = {"per_second": 100} if plan.latency_s >= 1 else {"per_second": 1e9}
    box = Sandbox(prerendered=True, limits=limits, latency_s={"ee.get_pixels": plan.latency_s})
    with tempfile.TemporaryDirectory() as folder, box:
        services = open_chip_services(plan, box, Path(folder))
        with patch.object(flows.cells.cell, "PhotoStage", MadePhotos):
            sys.stdout.write(json.dumps(build(plan, orders, services, box)))
        services.close()


def open_chip_services(plan: Plan, box: Sandbox, folder: Path) -> Services:
    """Returns services of which only storage and Earth Engine are real."""
    from collectors.earth_engine import EarthEngine

    def change(document: Any) -> None:
        for sensor in ("sentinel2", "naip"):
            document["sources"][sensor] |= {
                "size_px": plan.size_px, "area_px": plan.size_px // 2, "missing_limit_pct": 100,
            }  # fmt: skip

    settings = read_settings(
        sandbox_settings(box)
        | {"earth_engine_connections": AT_ONCE, "patience_seconds": 60.0}
        | ({} if plan.latency_s >= 1 else {"earth_engine_requests_per_second": 100.0})
    )
    services: Any = SimpleNamespace(fingerprint={})
    return Services(
        store=open_store(str(folder / "d")),
        catalogue=load_catalogue(small_catalogue(folder / "c.yaml", change)),
        flickr=services, photo_host=services,
        earth_engine=EarthEngine.connect(
            project=settings.earth_engine_project_name(),
            credentials=settings.earth_engine_credentials(),
            url=settings.earth_engine_url,
            throttle=settings.earth_engine_throttle(),
            patience=settings.patience,
        ),
        classifier=services, weights="w" * 64,
        photo_pool=ThreadPoolExecutor(1),
        pixel_pool=ThreadPoolExecutor(AT_ONCE + COMPUTING_THREADS),
    )  # fmt: skip


def build(plan: Plan, orders: list[Order], services: Services, box: Sandbox) -> dict[str, Any]:
    """Places all chips, then measures the rest."""
    watcher = SilentWatcher()
    started = time.perf_counter()
    placed: list[Placed] = []

    def stop_there(_stage: ChipStage, found: Placed) -> None:
        placed.append(found)
        raise Enough

    with patch.object(ChipStage, "_fetch", stop_there):
        for order in orders:
            try:
                flows.cells.cell.collect_cell(order, services)
            except Enough:
                continue
    placing = time.perf_counter() - started
    have_answers_made(placed, services)
    meter = Meter()
    patches = [patch(name, meter.measured(part, _named(name))) for name, part in PARTS.items()]
    for one in patches:
        one.start()
    if plan.level is not None:
        patch("collectors.chip_files.COMPRESSION_LEVEL", plan.level).start()
    box.reset()
    assert box._child is not None
    theirs = psutil.Process(box._child.pid)
    before, their_before = time.process_time(), sum(theirs.cpu_times()[:2])
    started = time.perf_counter()
    with ThreadPoolExecutor(plan.cells_at_once) as threads:
        parts = list(threads.map(lambda order: collect_guarded(order, services, watcher), orders))
    seconds = time.perf_counter() - started
    cpu, their_cpu = time.process_time() - before, sum(theirs.cpu_times()[:2]) - their_before
    assert not any(part.troubles for part in parts), [part.troubles for part in parts]
    chips = sum((part.chips for part in parts), Counter())
    total = chips.total()
    spent = {name: round(1000 * one / total, 2) for name, one in meter.seconds.most_common()}
    spent["rest"] = round(1000 * (cpu - meter.seconds.total()) / total, 2)
    return {
        "chips": dict(chips), "seconds": round(seconds, 2), "placing_seconds": round(placing, 2),
        "chips_per_second": round(total / seconds, 2),
        "cpu_seconds_per_chip": round(cpu / total, 5), "cpu_ms_per_chip": spent,
        "sandbox_cpu_seconds_per_chip": round(their_cpu / total, 5),
        "requests": box.counts(), "peak_gb": round(peak_gb(), 3),
        "bytes_per_chip": stored(services.store) // total,
    }  # fmt: skip


def have_answers_made(placed: list[Placed], services: Services) -> None:
    """Asks for some chips of each kind and cell, so that the stand-in has made what it will send.

    It makes an answer of each shape once, which takes it a second for an aerial flight's.
    """
    sensors = services.catalogue.sensors
    asked = [
        (chip, one.scenes[chip.chip_id][0])
        for one in placed
        for sensor in sensors
        for chip in [chip for chip in one.chips if chip.sensor == sensor][:FIRST_ANSWERS]
        if one.scenes[chip.chip_id]
    ]

    def ask(chip: Chip, scene: Scene) -> None:
        services.earth_engine.read(chip, scene, sensors[chip.sensor])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(ask, *zip(*asked, strict=True)))


def _named(name: str) -> Callable[..., Any]:
    """Returns the function of a dotted name."""
    from pkgutil import resolve_name

    found: Callable[..., Any] = resolve_name(name)
    return found


def stored(store: Store) -> int:
    """Returns the bytes of all shards."""
    return sum(store.size(path) for path in store.list("shards"))


if __name__ == "__main__":
    main()
