"""Whether one process takes all the chips that Earth Engine allows, what a chip costs, and memory.

The figures need two cores that nobody else uses: the stand-in for Earth Engine is one of two
programs on them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.benchmarks.chip_run import AT_ONCE, SEED
from tests.benchmarks.lines import report

pytestmark = pytest.mark.benchmark

ROOT: Final = Path(__file__).resolve().parents[2]


def built(**plan: Any) -> dict[str, Any]:
    """Builds chips in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.chip_run", json.dumps(plan)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_ee_saturation() -> None:
    """Both sensors, a second before each answer, 40 requests at once, pixels with noise."""
    run = built(cells=16, photos=160, latency_s=1.0)
    chips = sum(run["chips"].values())
    assert chips >= 4_000
    assert run["requests"] == {"ee.get_pixels": chips}
    more = {name: run[name] for name in ("chips", "seconds", "bytes_per_chip", "peak_gb")}
    report(
        "ee_saturation", round(run["chips_per_second"] / AT_ONCE, 3),
        "share of the chips a second that 40 requests of 1 s allow", ">= 0.90",
        chips_per_second=run["chips_per_second"], placed_beforehand_in_s=run["placing_seconds"],
        at_once=AT_ONCE, latency_s=1.0, seed=SEED, **more,
    )  # fmt: skip
    report(
        "cpu_seconds_per_chip", run["cpu_seconds_per_chip"], "s of one core",
        "< 0.045, two cores' share of 40 a second less the stand-in's",
        milliseconds=run["cpu_ms_per_chip"],
        sandbox_cpu_seconds_per_chip=run["sandbox_cpu_seconds_per_chip"], seed=SEED, **more,
    )  # fmt: skip


def test_memory_growth() -> None:
    """20,000 chips in 64 cells beside 1,000 in five, of 160 px and with 0.1 s to wait.

    The path through the code is that of large chips. What grows with their number shows more in
    small ones, for what is in hand takes less.
    """
    small = {"size_px": 160, "latency_s": 0.1}
    few, many = built(cells=5, photos=130, **small), built(cells=64, photos=170, **small)
    counts = [sum(run["chips"].values()) for run in (few, many)]
    assert counts[0] >= 1_000
    assert counts[1] >= 20_000
    ratio = round(many["peak_gb"] / few["peak_gb"], 3)
    report(
        "memory_growth_ratio", ratio, "peak memory, 20,000 chips over 1,000", "about 1",
        ratio=ratio, peak_gb=[few["peak_gb"], many["peak_gb"]], chips=counts,
        seconds=[few["seconds"], many["seconds"]], size_px=160, seed=SEED,
    )  # fmt: skip
