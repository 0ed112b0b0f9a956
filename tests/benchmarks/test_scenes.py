"""Whether the choice of scenes is right, on many random chips among real products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.lines import report
from tests.filters.real_scenes import SENSORS, compare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.benchmark

CHIPS = 5000
SEED = 11


@pytest.mark.parametrize("name", list(SENSORS))
def test_scene_choice(shared_data: Path, name: str) -> None:
    """5,000 random chips and dates: the scenes of a plain search in pandas, in its order."""
    met = compare(shared_data, name, CHIPS, SEED)
    report(
        "scene_choice", met["chips"], "chips with the same scenes in the same order", f"{CHIPS}",
        peer="a search with pandas", ratio=1, sensor=name, with_scene=met["with a scene"],
        with_choice=met["with a choice"], seed=SEED,
    )  # fmt: skip
