"""Names of time bins."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.time_bins import time_bin


@pytest.mark.parametrize(
    ("day", "months", "name"),
    [
        (date(2020, 3, 31), 3, "2020Q1"),
        (date(2020, 4, 1), 3, "2020Q2"),
        (date(2020, 12, 31), 3, "2020Q4"),
        (date(2018, 12, 31), 36, "2016-2018"),
        (date(2019, 1, 1), 36, "2019-2021"),
        (date(2020, 7, 9), 12, "2020"),
        (date(2020, 7, 9), 1, "2020M07"),
        (date(2020, 7, 9), 6, "2020M07-M12"),
        (date(2020, 7, 9), 24, "2020-2021"),
    ],
)
def test_bins_are_the_calendars(day: date, months: int, name: str) -> None:
    """Quarters are those of the calendar and years are counted from year 0."""
    assert time_bin(day, months) == name


@given(
    st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.integers(0, 1200),
    st.sampled_from([1, 2, 3, 4, 6, 12, 24, 36]),
)  # fmt: skip
def test_a_name_stands_for_one_stretch_of_months(day: date, later: int, months: int) -> None:
    """Two days have the same name exactly if they are in the same stretch of months."""
    other = day + timedelta(days=later)

    def stretch(one: date) -> int:
        return (one.year * 12 + one.month - 1) // months

    assert (time_bin(day, months) == time_bin(other, months)) == (stretch(day) == stretch(other))
