"""A series of 16 + 4 dates and a flight at 20 places of the made-up world, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.benchmarks.lines import report
from tests.flows.runs import small_catalogue
from tests.flows.series_sets import check_place, listed, make, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark

WANTED = 20
PLACES = 26
"""Asked for; photos of the years before surface reflectance was global find too few dates."""


def test_series_requests_per_place(run: Run, tmp_path: Path) -> None:
    """At 20 places all is kept: footprints equal to the pixel, dates sorted and distinct."""

    def wide(document: Any) -> None:
        document["regions"] = {"california": {"box": [-123.1, 34.9, -117.9, 39.0]}}

    catalogue = small_catalogue(tmp_path / "catalogue.yaml", wide)
    run.build(tmp_path / "d", catalogue=catalogue, cells=6)
    run.sandbox.reset()
    found = make(run.sandbox, tmp_path / "d", tmp_path / "series", places=PLACES)
    counts = run.sandbox.counts()
    rows = rows_of(tmp_path / "series")
    kept = [row for row in rows if row["outcome"] == "kept"]
    assert len(rows) == PLACES
    assert len(kept) >= WANTED
    for row in kept:
        check_place(tmp_path / "series", row)
    names = [
        name for split in ("train", "val", "test") for name in listed(tmp_path / "series", split)
    ]
    assert sorted(names) == sorted(row["place_id"] for row in kept)
    resolve = counts["ee.features"]
    pixels = counts["ee.get_pixels"] + counts["ee.compute_pixels"]
    assert found["requests"]["resolve"] == resolve
    assert found["requests"]["pixels"] == pixels
    clouds = [one["cloud_pct"] for row in kept for one in row["parts"][1]["dates"]]
    report(
        "series_requests_per_place", round((resolve + pixels) / len(kept), 4), "requests/place",
        "<= 4", peer="one request a stack is the least: 3", ratio=round(
            (resolve + pixels) / len(kept) / 3, 4),
        places=len(rows), kept=len(kept), refused=found["refused"], splits=found["splits"],
        resolve=resolve, pixels=pixels, dates=16 + 4 + 1,
        cloud_free_dates=round(float(np.mean(np.array(clouds) == 0)), 4),
        counted="those of refused places as well, over the places kept",
        one_scene_a_request=round(resolve / len(kept) + 21, 4), seed=5,
    )  # fmt: skip
