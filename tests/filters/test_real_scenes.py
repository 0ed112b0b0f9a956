"""The choice of scenes, on random chips among real products, against a plain search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.filters.real_scenes import SENSORS, compare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", list(SENSORS))
def test_scenes_are_those_that_a_plain_search_finds(shared_data: Path, name: str) -> None:
    """300 random chips and dates of each sensor, and of NAIP by both rules: the same, in order."""
    met = compare(shared_data, name, 300, seed=7)
    assert met["chips"] == 300
    assert met["with a scene"] > 50
    assert met["with a choice"] > 10
