"""The radius around a geotag."""

from __future__ import annotations

import pytest

from filters.geotag_uncertainty import uncertainty_m


@pytest.mark.parametrize(("accuracy", "metres"), [(16, 40), (15, 80), (11, 1280), (1, 1_310_720)])
def test_each_level_is_twice_as_wide_as_the_next(accuracy: int, metres: float) -> None:
    """From the street to the world, as the maps' scales go."""
    assert uncertainty_m(accuracy, 40) == metres


@pytest.mark.parametrize("accuracy", [0, 17, -1])
def test_what_is_no_level_is_refused(accuracy: int) -> None:
    """0 means that there is no real location; a pair of such a photo must not be made."""
    with pytest.raises(ValueError, match="1 to 16"):
        uncertainty_m(accuracy, 40)
