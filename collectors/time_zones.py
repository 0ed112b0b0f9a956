"""Clock time and UTC: a photo's capture time has no zone, so the zone comes from the place.

The borders of the zones are those of the package timezonefinder-data, the rules of their clocks
those of the package tzdata. Both are pinned; the time zone files of the machine are never read,
because they differ between machines and change with every update of the system.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from timezonefinder import TimezoneFinder

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOKUP: Final = Lock()
"""One instance serves all threads, one at a time, as its documentation asks for."""


@lru_cache(maxsize=1)
def _finder() -> TimezoneFinder:
    return TimezoneFinder()


def zone_at(lon: float, lat: float) -> str:
    """Returns the IANA name of the time zone of a place, at sea one of `Etc/GMT±n`.

    Territorial waters count as land. The signs of `Etc/GMT±n` are POSIX's: `Etc/GMT+8` is eight
    hours behind UTC. Of zones that overlap in disputed areas, the same one is given every time.

    Args:
        lon: Longitude in degrees, −180 ≤ lon ≤ 180.
        lat: Latitude in degrees, −90 ≤ lat ≤ 90.

    Raises:
        ValueError: If that is no place on Earth.
    """
    # Written so that NaN, for which every comparison is false, is refused.
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        msg = f"lon {lon}, lat {lat} is no place on Earth: −180 to 180 and −90 to 90 degrees"
        raise ValueError(msg)
    with _LOOKUP:
        name = _finder().timezone_at(lng=lon, lat=lat)
    if name is None:
        msg = f"no time zone holds lon {lon}, lat {lat}; the data of timezonefinder have a gap"
        raise ValueError(msg)
    return name


@lru_cache(maxsize=1024)
def clock_rules(zone: str) -> ZoneInfo:
    """Returns the rules of a zone's clocks from the package tzdata.

    Args:
        zone: IANA name.

    Raises:
        ValueError: If the package has no zone of that name.
    """
    file = files("tzdata").joinpath("zoneinfo", *zone.split("/"))
    if not zone or ".." in zone or not file.is_file():
        msg = f"tzdata {version('tzdata')} has no time zone {zone!r}"
        raise ValueError(msg)
    with file.open("rb") as rules:
        return ZoneInfo.from_file(rules, key=zone)


def to_utc(taken_at: datetime, zone: str) -> datetime:
    """Returns the UTC time of a wall-clock time in a zone.

    Of the two moments with the same time when clocks are turned back, the first is taken, which is
    still summer time. A time that clocks skip when they are turned forward is read as if they had
    not been turned yet. (Both are `fold=0` of PEP 495.)

    Args:
        taken_at: Wall-clock time, without zone.
        zone: IANA name.

    Raises:
        ValueError: If the time has a zone already, the zone is unknown, or the UTC time lies
            outside the years 1 to 9999.
    """
    if taken_at.tzinfo is not None:
        msg = f"{taken_at} has a zone already; wall-clock time without one is needed"
        raise ValueError(msg)
    try:
        return taken_at.replace(tzinfo=clock_rules(zone), fold=0).astimezone(UTC)
    except OverflowError as error:
        msg = f"{taken_at} in {zone} lies outside the years 1 to 9999 in UTC"
        raise ValueError(msg) from error


def time_data() -> Mapping[str, str]:
    """Returns the versions of what zones and UTC times were worked out with."""
    return {name: version(name) for name in ("timezonefinder-data", "tzdata")}


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, str]:
    """Returns the English name of the country of each zone, from the tables of the package tzdata.

    `zone.tab` has a line for each zone of a country: code, place, zone, remark; `iso3166.tab` has
    code and name; both are separated by tabs and have comments that begin with `#`.
    """
    folder = files("tzdata") / "zoneinfo"

    def lines(name: str) -> list[list[str]]:
        text = (folder / name).read_text(encoding="utf-8")
        return [line.split("\t") for line in text.splitlines() if line and line[0] != "#"]

    names = {code: name for code, name, *_ in lines("iso3166.tab")}
    return {zone: names[code] for code, _, zone, *_ in lines("zone.tab")}


def country_of(zone: str) -> str | None:
    """Returns the country that a time zone belongs to, such as `Switzerland`; None at sea.

    Args:
        zone: An IANA name.
    """
    return _countries().get(zone)
