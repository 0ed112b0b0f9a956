"""Meteorological seasons: three whole calendar months each, turned about south of the equator."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

TROPIC: Final = 23.43616
"""Latitude of the tropics in degrees: the obliquity of the ecliptic (Astronomical Almanac, 2020).

Between them the four seasons say little of what the ground looks like.
"""


class Season(StrEnum):
    """A meteorological season."""

    WINTER = "winter"
    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"


_ORDER: Final = tuple(Season)


def season_of(day: date, lat: float) -> Season:
    """Returns the season of a day at a latitude.

    North of the equator winter is December to February, as the World Meteorological Organization
    counts; on the equator and south of it, June to August.

    Args:
        day: The day.
        lat: Latitude in degrees.
    """
    return _ORDER[(day.month % 12 // 3 + (0 if lat > 0 else 2)) % 4]


def tells_of_the_ground(lat: float) -> bool:
    """Says whether the season at a latitude (degrees) is worth a word: not between the tropics."""
    return abs(lat) > TROPIC
