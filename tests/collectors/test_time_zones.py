"""Zones and UTC times against what is known of places and dates."""

from __future__ import annotations

import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timezonefinder import TimezoneFinder

from collectors.time_zones import clock_rules, time_data, to_utc, zone_at

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(TimezoneFinder().timezone_names)


def at(text: str) -> datetime:
    """A wall-clock time without zone."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("lon", "lat", "zone", "local", "utc"),
    [
        # San Francisco, in summer and in winter.
        (-122.42, 37.77, "America/Los_Angeles", "2020-07-01 12:00", "2020-07-01 19:00"),
        (-122.42, 37.77, "America/Los_Angeles", "2020-12-01 12:00", "2020-12-01 20:00"),
        # Phoenix keeps one time all year, the Navajo Nation around Chinle does not.
        (-112.07, 33.45, "America/Phoenix", "2020-07-01 12:00", "2020-07-01 19:00"),
        (-109.55, 36.15, "America/Denver", "2020-07-01 12:00", "2020-07-01 18:00"),
        # Offsets that are no whole hours: Kathmandu, Mumbai, the Chatham Islands in summer.
        (85.32, 27.71, "Asia/Kathmandu", "2020-07-01 12:00", "2020-07-01 06:15"),
        (72.83, 18.95, "Asia/Kolkata", "2020-07-01 12:00", "2020-07-01 06:30"),
        (-176.55, -43.95, "Pacific/Chatham", "2020-01-01 12:00", "2019-12-31 22:15"),
        # Lord Howe Island puts its clocks forward by half an hour.
        (159.08, -31.55, "Australia/Lord_Howe", "2020-01-01 12:00", "2020-01-01 01:00"),
        (159.08, -31.55, "Australia/Lord_Howe", "2020-07-01 12:00", "2020-07-01 01:30"),
        # Moscow was four hours ahead from 2011 to 2014, and is three hours ahead since.
        (37.62, 55.75, "Europe/Moscow", "2012-07-01 12:00", "2012-07-01 08:00"),
        (37.62, 55.75, "Europe/Moscow", "2020-07-01 12:00", "2020-07-01 09:00"),
        # Caracas was four and a half hours behind from 2007 to 2016.
        (-66.9, 10.49, "America/Caracas", "2010-07-01 12:00", "2010-07-01 16:30"),
        # Samoa changed sides of the date line: it had no 30 December 2011.
        (-171.76, -13.83, "Pacific/Apia", "2011-12-29 12:00", "2011-12-29 22:00"),
        (-171.76, -13.83, "Pacific/Apia", "2011-12-31 12:00", "2011-12-30 22:00"),
        # Kiritimati, the first place of each day.
        (-157.4, 1.87, "Pacific/Kiritimati", "2020-07-01 12:00", "2020-06-30 22:00"),
    ],
)
def test_known_clocks(lon: float, lat: float, zone: str, local: str, utc: str) -> None:
    """Places and dates whose offsets anyone can look up."""
    assert zone_at(lon, lat) == zone
    assert to_utc(at(local), zone) == at(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("lon", "lat", "hours"),
    [(-140.0, 30.0, -9), (-30.0, -30.0, -2), (0.0, 0.0, 0), (80.0, -20.0, 5), (165.0, 45.0, 11)],
)
def test_at_sea_it_is_nautical_time(lon: float, lat: float, hours: int) -> None:
    """Whole hours by longitude, 15 degrees each; the sign in the name is the other way round."""
    zone = zone_at(lon, lat)
    assert zone == ("Etc/GMT" if hours == 0 else f"Etc/GMT{-hours:+d}")
    noon = at("2020-07-01 12:00")
    assert to_utc(noon, zone) == noon.replace(tzinfo=UTC) - timedelta(hours=hours)


@pytest.mark.parametrize("lat", [-16.8, 0.0, 68.0, 71.2, -80.0])
def test_the_antimeridian_is_one_place(lat: float) -> None:
    """Fiji, the ocean, Chukotka, Wrangel Island, Antarctica: 180 and −180 are the same."""
    assert zone_at(180, lat) == zone_at(-180, lat)


def test_fiji_is_one_zone_on_both_sides_of_the_antimeridian() -> None:
    """The 180th meridian crosses Taveuni."""
    assert zone_at(179.98, -16.82) == zone_at(-179.95, -16.82) == "Pacific/Fiji"


@pytest.mark.parametrize(("lat", "zone"), [(90, "Etc/GMT"), (-90, "Antarctica/McMurdo")])
def test_poles_have_a_zone_whatever_the_longitude(lat: float, zone: str) -> None:
    """The South Pole's station keeps the time of New Zealand; the North Pole lies at sea."""
    assert zone_at(0, lat) == zone


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_every_place_has_a_zone_with_rules(lon: float, lat: float) -> None:
    """There is no gap, and no zone whose clocks are unknown."""
    rules, noon = clock_rules(zone_at(lon, lat)), at("2020-07-01 12:00")
    offset, summer_time = rules.utcoffset(noon), rules.dst(noon)
    assert offset is not None
    assert summer_time is not None
    # Clocks are set by the sun, more or less; western China is 3.1 hours ahead of it.
    apart = ((offset - summer_time).total_seconds() / 3600 - lon / 15 + 12) % 24 - 12
    assert abs(apart) <= 3.5 or abs(lat) > 60


@pytest.mark.parametrize(
    ("lon", "lat"),
    [(float("nan"), 0), (0, float("nan")), (180.1, 0), (0, 90.1), (float("inf"), 0)],
)
def test_what_is_no_place_is_refused(lon: float, lat: float) -> None:
    """NaN as well, for which every comparison is false."""
    with pytest.raises(ValueError, match="no place on Earth"):
        zone_at(lon, lat)


def test_a_time_that_comes_twice_is_the_first() -> None:
    """Clocks went back from 2:00 to 1:00 on 3 November 2019; 1:30 was first in summer time."""
    assert to_utc(at("2019-11-03 01:30"), "America/Los_Angeles") == datetime(
        2019, 11, 3, 8, 30, tzinfo=UTC
    )


def test_a_time_that_is_skipped_is_read_by_the_clock_not_yet_changed() -> None:
    """Clocks went from 2:00 to 3:00 on 10 March 2019; 2:30 is an hour and a half after 1:00."""
    assert to_utc(at("2019-03-10 02:30"), "America/Los_Angeles") == datetime(
        2019, 3, 10, 10, 30, tzinfo=UTC
    )


@given(st.sampled_from(NAMES), st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_utc_leads_back_to_the_clock(zone: str, taken_at: datetime) -> None:
    """Except where the clock skipped it; offsets are never more than those of the date line."""
    utc = to_utc(taken_at, zone)
    back = utc.astimezone(clock_rules(zone)).replace(tzinfo=None)
    assert timedelta(hours=-12) <= taken_at - utc.replace(tzinfo=None) <= timedelta(hours=14)
    if back != taken_at:
        before = (utc - timedelta(days=1)).astimezone(clock_rules(zone)).utcoffset()
        after = (utc + timedelta(days=1)).astimezone(clock_rules(zone)).utcoffset()
        assert before is not None
        assert after is not None
        assert back - taken_at == after - before > timedelta(0)


def test_times_with_a_zone_and_unknown_zones_are_refused() -> None:
    """Nothing is read twice, and no path leads out of the package."""
    with pytest.raises(ValueError, match="has a zone already"):
        to_utc(datetime(2020, 1, 1, tzinfo=UTC), "Etc/GMT")
    for name in ("", "Mars/Olympus", "../tzdata/zones", "America"):
        with pytest.raises(ValueError, match="no time zone"):
            to_utc(at("2020-01-01"), name)
    with pytest.raises(ValueError, match="outside the years"):
        to_utc(datetime.min, "Asia/Tokyo")  # noqa: DTZ901 - wall-clock time


def test_every_zone_of_the_borders_has_rules() -> None:
    """The two packages fit together."""
    assert all(clock_rules(name).key == name for name in NAMES)


def test_the_time_zones_of_the_machine_are_not_read(tmp_path: Path) -> None:
    """A machine whose San Francisco keeps the time of Tokyo makes no difference."""
    wrong = tmp_path / "America" / "Los_Angeles"
    wrong.parent.mkdir()
    wrong.write_bytes(files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    zoneinfo.ZoneInfo.clear_cache()
    clock_rules.cache_clear()
    try:
        noon = at("2020-07-01 12:00")
        fooled = zoneinfo.ZoneInfo("America/Los_Angeles").utcoffset(noon)
        found = to_utc(noon, "America/Los_Angeles")
    finally:
        zoneinfo.reset_tzpath(before)
        zoneinfo.ZoneInfo.clear_cache()
        clock_rules.cache_clear()
    assert fooled == timedelta(hours=9)
    assert found == datetime(2020, 7, 1, 19, tzinfo=UTC)


def test_threads_find_what_one_thread_finds() -> None:
    """Cells are worked on side by side."""
    chance = np.random.default_rng(3)
    places = list(zip(chance.uniform(-10, 40, 4000).tolist(), chance.uniform(35, 70, 4000).tolist(),
                      strict=True))  # fmt: skip
    alone = [zone_at(*place) for place in places]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda place: zone_at(*place), places)) == alone


def test_the_versions_are_those_that_are_installed() -> None:
    """They go into what a dataset says of itself."""
    assert set(time_data()) == {"timezonefinder-data", "tzdata"}
    assert time_data()["tzdata"].startswith("20")
