"""A report on a million photos: how long it takes, and how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.lines import report

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.benchmark
def test_report_on_a_million_photos(tmp_path: Path) -> None:
    """Prints seconds and peak memory of a report on 1,000,000 photos, in a process of its own.

    The dataset is `TERRAPAIR_LARGE_DATASET`, or is generated.
    """
    given = os.environ.get("TERRAPAIR_LARGE_DATASET")
    root = Path(given) if given else tmp_path / "large"
    if given is None:
        make = ["-m", "tests.benchmarks.large_dataset", str(root), "--publish"]
        subprocess.run([sys.executable, *make], check=True, cwd=ROOT)
    run = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.report_run", str(root), str(tmp_path / "report")],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(run.stdout)
    report(
        "report_seconds_1m", round(found["seconds"], 1), "s", "under 60",
        cpu_seconds=round(found["cpu_seconds"], 1), began=found["began"],
        pairs=found["pairs"], of_pairs=found["of_pairs"], missing=found["missing_pictures"],
    )  # fmt: skip
    report("report_peak_gb_1m", round(found["peak_gb"], 2), "GB", "under 2")
