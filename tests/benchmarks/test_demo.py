"""How long the first look takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.lines import report

pytestmark = pytest.mark.benchmark

ROOT = Path(__file__).resolve().parents[2]


def test_demo_seconds(tmp_path: Path) -> None:
    """`terrapair demo` in an empty folder, everything in it: fitting, Prefect, services, build."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "flows", "demo", "--json"], cwd=tmp_path, check=True,
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    seconds = time.perf_counter() - started
    outcome = json.loads(done.stdout)
    report(
        "demo_seconds", round(seconds, 1), "s", "< 180", cells=outcome["cells"],
        funnel=outcome["funnel"], chips=outcome["chips"], seed=0,
    )  # fmt: skip
