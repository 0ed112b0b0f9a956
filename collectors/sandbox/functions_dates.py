"""Earth Engine's functions on dates, in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Final

from collectors.sandbox.coercion import parse_moment, type_name
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.registry import function
from collectors.sandbox.values import Moment, MomentRange

_UNIT_MS: Final = {
    "second": 1_000.0,
    "minute": 60_000.0,
    "hour": 3_600_000.0,
    "day": 86_400_000.0,
    "week": 604_800_000.0,
}
_YEAR_MS: Final = 365.25 * 86_400_000.0


def _refuse_zone(zone: str | None) -> None:
    if zone not in (None, "UTC"):
        what = f"dates in the time zone {zone!r}"
        raise not_implemented(what)


def _calendar(date: Moment) -> dt.datetime:
    try:
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=date.ms)
    except OverflowError:
        message = f"Date: {date.ms} milliseconds are beyond the calendar."
        raise EarthEngineError(message) from None


@function("Date")
def _date(value: object, zone: str | None) -> Moment:
    _refuse_zone(zone)
    if isinstance(value, Moment):
        return value
    if isinstance(value, str):
        return parse_moment(value)
    if isinstance(value, int | float):
        return Moment(value)
    message = f"Date: cannot make a Date of a {type_name(value)}."
    raise EarthEngineError(message)


@function("Date.millis")
def _date_millis(date: Moment) -> float:
    return date.ms


@function("Date.fromYMD")
def _date_from_ymd(year: int, month: int, day: int, zone: str | None) -> Moment:
    _refuse_zone(zone)
    try:
        return Moment(dt.datetime(year, month, day, tzinfo=dt.UTC).timestamp() * 1000.0)
    except (ValueError, OverflowError):
        message = f"Date.fromYMD: There is no day {year}-{month}-{day}."
        raise EarthEngineError(message) from None


@function("Date.advance")
def _date_advance(date: Moment, delta: float, unit: str, zone: str | None) -> Moment:
    _refuse_zone(zone)
    unit = unit.rstrip("s")
    if unit in _UNIT_MS:
        return Moment(date.ms + delta * _UNIT_MS[unit])
    if unit in ("month", "year") and float(delta).is_integer():
        start = _calendar(date)
        months = start.year * 12 + start.month - 1 + int(delta) * (12 if unit == "year" else 1)
        if not dt.MINYEAR * 12 < months < dt.MAXYEAR * 12:
            message = f"Date.advance: {delta} {unit} lead beyond the calendar."
            raise EarthEngineError(message)
        first = dt.datetime(months // 12, months % 12 + 1, 1, tzinfo=dt.UTC)
        following = dt.datetime((months + 1) // 12, (months + 1) % 12 + 1, 1, tzinfo=dt.UTC)
        day = min(start.day, (following - first).days)
        moved = start.replace(year=first.year, month=first.month, day=day)
        return Moment(moved.timestamp() * 1000.0)
    what = f"Date.advance by {delta} {unit}"
    raise not_implemented(what)


@function("Date.difference")
def _date_difference(date: Moment, start: Moment, unit: str) -> float:
    unit = unit.rstrip("s")
    lengths = {**_UNIT_MS, "year": _YEAR_MS, "month": _YEAR_MS / 12.0}
    if unit not in lengths:
        message = f"Date.difference: Unknown unit '{unit}'."
        raise EarthEngineError(message)
    return (date.ms - start.ms) / lengths[unit]


@function("Date.get")
def _date_get(date: Moment, unit: str, zone: str | None) -> int:
    _refuse_zone(zone)
    moment = _calendar(date)
    if unit not in ("year", "month", "day", "hour", "minute", "second"):
        what = f"Date.get of {unit!r}"
        raise not_implemented(what)
    return int(getattr(moment, unit))


@function("DateRange")
def _date_range(start: object, end: object | None, zone: str | None) -> MomentRange:
    first = _date(start, zone)
    last = Moment(first.ms + 1.0) if end is None else _date(end, zone)
    return MomentRange(first.ms, last.ms)
