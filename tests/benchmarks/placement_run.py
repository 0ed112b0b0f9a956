"""One measured placement in a process of its own, so that the peak of memory is its own.

`python -m tests.benchmarks.placement_run PHOTOS CELLS SEED` prints a line of JSON. With one cell,
it is near San Francisco; else the cells lie on all latitudes from 60° south to 72° north.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from collectors.cells import Cell
from filters.placement import place
from tests.benchmarks.photo_world import clustered, world
from tests.sensors import SENTINEL2

ONE_ZONE = Cell.at(-121.5, 37.5)
CAP = 25


def peak_gb() -> float:
    """Returns the most memory that this program has held, GiB.

    `getrusage` would not do: on Linux it begins with what the process was before it became this
    program, here a test runner.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024**2


def main() -> None:
    """Makes the photos cell by cell, places each cell, and measures the placing alone."""
    count, cells, seed = (int(one) for one in sys.argv[1:])
    if cells == 1:
        rng = np.random.default_rng(seed)
        parts = iter([(ONE_ZONE.box, clustered(ONE_ZONE.box, count, rng))])
    else:
        parts = world(count, cells, seed)
    seconds, cpu_seconds, chips, largest, ended = 0.0, 0.0, 0, 0, Counter[str]()
    for box, spots in parts:
        started, cpu_started = time.perf_counter(), time.process_time()
        placed = place(spots, [], box, SENTINEL2, cap=CAP)
        seconds += time.perf_counter() - started
        cpu_seconds += time.process_time() - cpu_started
        chips += len(placed.chips)
        largest = max(largest, len(spots))
        ended["paired"] += len(placed.members)
        ended.update(placed.unplaced.values())
    sys.stdout.write(json.dumps({
        "photos": count, "cells": cells, "largest_cell": largest, "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3), "peak_gb": round(peak_gb(), 3),
        "chips": chips, "ended": dict(sorted(ended.items())),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
