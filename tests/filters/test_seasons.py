"""Seasons by date and hemisphere."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.seasons import Season, season_of, tells_of_the_ground


@pytest.mark.parametrize(
    ("month", "north", "south"),
    [
        (12, "winter", "summer"), (1, "winter", "summer"), (2, "winter", "summer"),
        (3, "spring", "autumn"), (5, "spring", "autumn"), (6, "summer", "winter"),
        (8, "summer", "winter"), (9, "autumn", "spring"), (11, "autumn", "spring"),
    ],
)  # fmt: skip
def test_seasons_are_three_months_and_turn_at_the_equator(
    month: int, north: str, south: str
) -> None:
    """December to February is winter in the north, and summer in the south."""
    day = date(2021, month, 15)
    assert (season_of(day, 46.0), season_of(day, -46.0)) == (north, south)


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.floats(0.001, 90))
def test_half_a_year_on_or_beyond_the_equator_is_the_opposite_season(day: date, lat: float) -> None:
    """Six months later in the north is what the south has now."""
    order = list(Season)
    later = (day.replace(day=1) + timedelta(days=190)).replace(day=15)
    here, there = season_of(day, lat), season_of(day, -lat)
    assert order.index(there) == (order.index(here) + 2) % 4
    assert season_of(later, lat) == there


def test_between_the_tropics_a_season_says_little() -> None:
    """São Paulo and Hong Kong lie just on either side."""
    assert tells_of_the_ground(-23.55)
    assert not tells_of_the_ground(22.3)
