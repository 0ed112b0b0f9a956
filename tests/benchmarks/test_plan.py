"""How near a plan comes to what is built, in five worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from collectors.sandbox import Sandbox
from filters.indoor_weights import fetch
from flows.demo import make_weights
from flows.runs.building import SilentWatcher
from tests.benchmarks.lines import report
from tests.benchmarks.planned_worlds import WORLDS, PlannedWorld
from tests.flows.planned import beside, plan_of
from tests.flows.runs import Run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.benchmark

FIGURES: Final = (
    "found", "photos", "chips", "flickr_calls", "downloads", "earth_engine_requests", "bytes",
)  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that suit the sandbox's pictures."""
    return make_weights(tmp_path_factory.mktemp("weights") / "w.pth.tar", SilentWatcher())


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_plan_is_near_what_is_built(world: PlannedWorld, weights: Path, tmp_path: Path) -> None:
    """Photos, chips, calls and bytes lie within the range, and within 1.5 times of likely."""
    table = world.table(tmp_path / "photos.parquet")
    catalogue = world.catalogue(tmp_path / "data_catalog.yaml")
    root = tmp_path / "dataset"
    asked = {"cells": world.cells or None}
    with Sandbox(seed=world.seed, photos=table, weights=weights) as box:
        fetch(box.weights_url, tmp_path / "cache", sha256=None)  # at hand, as after any build
        run = Run(box, catalogue, tmp_path / "cache")
        plan = plan_of(run, root, probes=world.probes, **asked)
        outcome = run.build(root, **asked)
    figures = beside(plan, outcome, root)
    factors = {
        name: round(max(one["likely"], one["came"]) / max(1, min(one["likely"], one["came"])), 3)
        for name, one in figures.items() if name in FIGURES
    }  # fmt: skip
    report(
        "plan_likely_factor", max(factors.values()), "times", "at most 1.5, each within its range",
        world=world.name, factors=factors, asked=plan["asked"], figures=figures,
    )  # fmt: skip
    assert [name for name in FIGURES if not figures[name]["within"]] == []
    assert max(factors.values()) <= 1.5
