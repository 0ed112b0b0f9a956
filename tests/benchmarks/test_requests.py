"""How many requests a dataset costs, by the sandbox's own count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.lines import report
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark

CELLS = 20


@pytest.fixture(scope="module")
def measured(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A build of 20 cells and at least 1,000 chips of both sensors, no scene refused."""
    folder = tmp_path_factory.mktemp("requests")

    def refuse_nothing(document: Any) -> None:
        document["regions"] = {"california": {"box": [-123.1, 34.9, -117.9, 39.0]}}
        document["sources"]["sentinel2"] |= {"chip_cloud_limit_pct": 100, "missing_limit_pct": 100}
        document["sources"]["naip"] |= {"missing_limit_pct": 100}

    catalogue = small_catalogue(folder / "catalogue.yaml", refuse_nothing, quota=64)
    run.sandbox.reset()
    outcome = run.build(folder / "d", catalogue=catalogue, cells=CELLS)
    return {"outcome": outcome, "counts": run.sandbox.counts()}


def test_ee_requests_per_chip(measured: dict[str, Any]) -> None:
    """Resolving and pixels together, for each chip with pixels: at most 1.05."""
    outcome, counts = measured["outcome"], measured["counts"]
    chips = sum(outcome["chips"].values())
    assert chips >= 1000
    assert outcome["scenes_refused"] == 0
    requests = counts["ee.features"] + counts["ee.get_pixels"]
    report(
        "ee_requests_per_chip", round(requests / chips, 4), "requests/chip", "<= 1.05",
        peer="one request a chip is the least", ratio=round(requests / chips, 4),
        chips=outcome["chips"], cells=outcome["cells"], resolve=counts["ee.features"],
        pixels=counts["ee.get_pixels"], seed=5,
    )  # fmt: skip


def test_flickr_calls_per_kept_photo(measured: dict[str, Any]) -> None:
    """Searches for each photo that is kept."""
    outcome, counts = measured["outcome"], measured["counts"]
    kept = outcome["funnel"]["outdoor"]
    report(
        "flickr_calls_per_kept_photo", round(counts["flickr.search"] / kept, 4), "calls/photo",
        "none stated", calls=counts["flickr.search"], kept=kept, seen=outcome["funnel"]["seen"],
        quota_per_cell=64, cells=CELLS, seed=5,
    )  # fmt: skip
