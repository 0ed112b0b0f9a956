"""How long placement takes, how much memory it needs, and how both grow."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import seed as with_seed

from filters.placement import place
from tests.benchmarks.lines import report
from tests.benchmarks.photo_world import clustered
from tests.benchmarks.placement_loop import place_plainly
from tests.benchmarks.placement_run import CAP, ONE_ZONE
from tests.filters.placement_worlds import World, grow, worlds
from tests.sensors import SENTINEL2

pytestmark = pytest.mark.benchmark

ROOT = Path(__file__).resolve().parents[2]
SEED = 1
CELLS = 10_000
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measured(count: int, cells: int) -> dict[str, Any]:
    """Places a world in a process of its own, held to one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.placement_run", str(count), str(cells), str(SEED)],
        cwd=ROOT, check=True, capture_output=True, text=True, env=os.environ | ONE_CORE,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def growth(runs: list[dict[str, Any]]) -> list[float]:
    """Returns, run by run, seconds of the CPU for each n·log n, over that of the first run."""
    each = [run["cpu_seconds"] / (run["photos"] * math.log(run["photos"])) for run in runs]
    return [round(one / each[0], 2) for one in each]


def test_placement_of_ten_million_photos() -> None:
    """Clustered photos in 10,000 cells, the densest 1 % of which hold half; then in one cell."""
    in_cells = measured(10_000_000, CELLS)
    one_cell = [measured(10**power, 1) for power in (4, 5, 6, 7)]
    lost = in_cells["ended"]["border"] / in_cells["photos"]
    report(
        "placement_10m_seconds", in_cells["seconds"], "s", "< 60 on one core",
        chips=in_cells["chips"], cells=CELLS, largest_cell=in_cells["largest_cell"],
        ended=in_cells["ended"], border_share=round(lost, 4),
        cpu_seconds=in_cells["cpu_seconds"],
        one_cell_cpu_seconds={run["photos"]: run["cpu_seconds"] for run in one_cell},
        one_cell_over_n_log_n=growth(one_cell), seed=SEED,
    )  # fmt: skip
    report(
        "placement_10m_peak_gb", in_cells["peak_gb"], "GiB", "< 4, interpreter and photos included",
        one_cell_gb={run["photos"]: run["peak_gb"] for run in one_cell}, seed=SEED,
    )  # fmt: skip


def test_placement_beside_a_plain_loop() -> None:
    """The same outcome as a loop over photos and chips, in a part of its time."""
    ratios, seconds = {}, {}
    for count in (1_000, 3_000, 10_000, 30_000):
        spots = clustered(ONE_ZONE.box, count, np.random.default_rng(SEED))
        started = time.perf_counter()
        placed = place(spots, [], ONE_ZONE.box, SENTINEL2, cap=CAP)
        ours = time.perf_counter() - started
        started = time.perf_counter()
        plain = place_plainly(spots, ONE_ZONE.box, SENTINEL2, cap=CAP)
        loop = time.perf_counter() - started
        assert (placed.members, placed.unplaced) == plain
        ratios[count], seconds[count] = round(loop / ours, 1), round(loop, 3)
    report(
        "placement_vs_loop_ratio", ratios[30_000], "loop's time over ours, 30,000 photos",
        "> 1, growing", peer="a plain loop over the chips of a photo's time bin",
        ratio=ratios[30_000], ratios=ratios, loop_seconds=seconds, seed=SEED,
    )  # fmt: skip


def test_promises_on_a_thousand_worlds() -> None:
    """Pairs, centres, members and scenes by brute force; two orders, one outcome."""
    seen, ended = Counter[str](), Counter[str]()

    @with_seed(SEED)
    @settings(max_examples=1000, database=None)
    @given(worlds())
    def grow_twice(world: World) -> None:
        data = grow(world, SEED)
        assert grow(world, SEED).outcome == data.outcome
        seen.update(worlds=1, photos=len(data.spots), chips=len(data.chips))
        ended.update(data.reasons.values())
        ended["paired"] += len(data.pairs)

    grow_twice()
    report(
        "placement_worlds", seen["worlds"], "random worlds in which all promises hold", ">= 1000",
        photos=seen["photos"], chips=seen["chips"], ended=dict(sorted(ended.items())),
        border_share=round(ended["border"] / seen["photos"], 4), seed=SEED,
        note="half of the worlds lie at the corner of four cells, where borders are thickest",
    )  # fmt: skip
