"""Screening photos by their records."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from collectors.cells import Cell, Ground
from collectors.geo import Box
from collectors.records import Media
from filters.metadata import Reason, Rules, screen
from tests.filters.photos import PLAIN, photo

CELL = Cell.at(7.0, 46.0)
WEST, SOUTH, EAST, NORTH = CELL.box.polygon().bounds
HALF = Ground(CELL, Polygon([(WEST, SOUTH), (EAST, SOUTH), (EAST, 46.05), (WEST, 46.05)]), 0.5)
RULES = Rules(14, frozenset({4, 5}), date(2017, 3, 28), date(2026, 1, 1))


def local(*parts: int) -> datetime:
    """Returns a local capture time."""
    return datetime(*parts)  # noqa: DTZ001


TABLE: list[tuple[dict[str, Any], Reason | None]] = [
    ({}, None),
    ({"media": Media.VIDEO}, Reason.NOT_PHOTO),
    ({"is_photograph": False}, Reason.NOT_PHOTO),
    ({"geo_is_public": False}, Reason.NOT_PUBLIC_GEO),
    ({"accuracy": 0, "lon": 0.0, "lat": 0.0}, Reason.NO_LOCATION),
    ({"lon": math.nan}, Reason.BAD_LOCATION),
    ({"lat": math.inf}, Reason.BAD_LOCATION),
    ({"lat": 90.001}, Reason.BAD_LOCATION),
    ({"lon": -180.5}, Reason.BAD_LOCATION),
    ({"accuracy": 13}, Reason.LOW_ACCURACY),
    ({"accuracy": 14}, None),
    ({"taken_known": False}, Reason.UNKNOWN_DATE),
    ({"taken_granularity": 4}, Reason.COARSE_DATE),
    ({"taken_granularity": 8}, Reason.COARSE_DATE),
    ({"taken_at": local(1989, 12, 31, 23)}, Reason.BAD_DATE),
    ({"taken_at": local(1990, 1, 1)}, Reason.OUTSIDE_WINDOW),
    ({"taken_at": local(2020, 6, 4)}, None),
    ({"taken_at": local(2020, 6, 4, 0, 0, 1)}, Reason.BAD_DATE),
    ({"licence": 0}, Reason.LICENCE),
    ({"taken_at": local(2017, 3, 27, 23, 59, 59)}, Reason.OUTSIDE_WINDOW),
    ({"taken_at": local(2017, 3, 28)}, None),
    (
        {"taken_at": local(2025, 12, 31, 23), "uploaded_at": datetime(2026, 5, 1, tzinfo=UTC)},
        None,
    ),
    (
        {"taken_at": local(2026, 1, 1), "uploaded_at": datetime(2026, 5, 1, tzinfo=UTC)},
        Reason.OUTSIDE_WINDOW,
    ),
    ({"lat": 46.05}, None),
    ({"lat": 46.06}, Reason.OUTSIDE_REGION),
    ({"lon": -120.0}, Reason.OUTSIDE_REGION),
]


@pytest.mark.parametrize(("changes", "reason"), TABLE)
def test_each_rule_and_both_sides_of_its_limit(
    changes: dict[str, Any], reason: Reason | None
) -> None:
    """A photo that differs from a good one in one thing is refused for that thing alone."""
    assert screen(photo(**changes), HALF, RULES) is reason


FAULTS: dict[Reason, dict[str, Any]] = {
    Reason.NOT_PHOTO: {"is_photograph": False},
    Reason.NOT_PUBLIC_GEO: {"geo_is_public": False},
    Reason.NO_LOCATION: {"accuracy": 0},
    Reason.BAD_LOCATION: {"lat": math.nan},
    Reason.LOW_ACCURACY: {"accuracy": 1},
    Reason.UNKNOWN_DATE: {"taken_known": False},
    Reason.COARSE_DATE: {"taken_granularity": 6},
    Reason.BAD_DATE: {"taken_at": local(1900, 1, 1)},
    Reason.LICENCE: {"licence": 16},
    Reason.OUTSIDE_WINDOW: {"taken_at": local(2011, 1, 1)},
    Reason.OUTSIDE_REGION: {"lat": 46.2},
}


@given(st.sets(st.sampled_from(Reason), min_size=1))
def test_of_several_reasons_the_first_in_order_is_given(reasons: set[Reason]) -> None:
    """The order of the reasons is the order of the rules, however many apply."""
    changes: dict[str, Any] = {}
    for reason in reversed(list(Reason)):
        if reason in reasons:
            changes |= FAULTS[reason]
    first = next(reason for reason in Reason if reason in reasons)
    assert screen(photo(**changes), HALF, RULES) is first


@given(
    st.floats(), st.floats(), st.integers(0, 16), st.booleans(), st.booleans(),
    st.sampled_from([0, 4, 6, 8]), st.datetimes(), st.datetimes(), st.integers(0, 16),
)  # fmt: skip
def test_any_record_gets_an_answer(
    lon: float, lat: float, accuracy: int, public: bool, known: bool, granularity: int,
    taken_at: datetime, uploaded_at: datetime, licence: int,
) -> None:  # fmt: skip
    """Whatever Flickr sends, there is one reason or none, and those let through keep the rules."""
    one = photo(
        lon=lon, lat=lat, accuracy=accuracy, geo_is_public=public, taken_known=known,
        taken_granularity=granularity, taken_at=taken_at, licence=licence,
        uploaded_at=uploaded_at.replace(tzinfo=UTC),
    )  # fmt: skip
    reason = screen(one, HALF, RULES)
    assert reason is None or isinstance(reason, Reason)
    if reason is None:
        assert Box(WEST, SOUTH, EAST, NORTH).holds(lon, lat)
        assert known
        assert public
        assert taken_at - uploaded_at <= timedelta(days=1)


def test_the_plain_photo_is_good() -> None:
    """The table's changes start from a photo that nothing speaks against."""
    assert screen(PLAIN, HALF, RULES) is None
