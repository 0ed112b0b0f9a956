"""How a version spreads: over dates, gaps, cloud, licences, owners, scores and cells.

Everything is counted by DuckDB over the Parquet files; what comes back is a few hundred numbers,
however many rows there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

BINS: Final = 24
"""Bins of a histogram, about."""

OWNER_RANKS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000)
"""How many of the largest owners are taken together."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, one row of its table.

    Attributes:
        label: What is counted, for people.
        count: How many, or what else the bar stands for.
        group: Which of several series; empty if there is one.
        low: Where a histogram's bin begins, in the chart's unit; None for names.
        high: Where it ends.
    """

    label: str
    count: float
    group: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Median and the range of the middle 90 % of some figures.

    Attributes:
        group: Whose figures.
        count: How many.
        low: The 5 % quantile.
        median: The median.
        high: The 95 % quantile.
    """

    group: str
    count: int
    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Bars, with quantiles where they are of figures."""

    bars: tuple[Bar, ...]
    quantiles: tuple[Quantiles, ...] = ()


@dataclass(frozen=True, slots=True)
class Owners:
    """How photos spread over their owners, without saying who they are.

    Attributes:
        owners: How many there are.
        shares: For the largest one, two, five and so on: their share of all photos, 0 to 1.
    """

    owners: int
    shares: tuple[tuple[int, float], ...]


def years(base: duckdb.DuckDBPyConnection) -> Spread:
    """Counts kept photos by the year they were taken in, local time; no year is left out."""
    return _numbered(base, "year(taken_at)", str)


def months(base: duckdb.DuckDBPyConnection) -> Spread:
    """Counts kept photos by the month of the year, local time."""
    return _numbered(base, "month(taken_at)", lambda one: _MONTHS[one - 1], range(1, 13))


def hours(base: duckdb.DuckDBPyConnection) -> Spread:
    """Counts kept photos by the hour of the day, local time."""
    return _numbered(base, "hour(taken_at)", lambda one: f"{one:02d} h", range(24))


def licences(base: duckdb.DuckDBPyConnection) -> Spread:
    """Counts kept photos by licence, the most frequent first."""
    rows = base.execute(
        "SELECT licence, count(*) FROM photos GROUP BY ALL ORDER BY 2 DESC, 1"
    ).fetchall()
    return Spread(tuple(Bar(name, count) for name, count in rows))


def gaps(base: duckdb.DuckDBPyConnection) -> dict[str, Spread]:
    """Spreads the days from photo to scene, by sensor."""
    return _by_sensor(base, "pairs", "delta_days", whole=True)


def cloud_in_chips(base: duckdb.DuckDBPyConnection) -> dict[str, Spread]:
    """Spreads the cloud measured in chips with pixels, per cent, by sensor; some have none."""
    return _by_sensor(base, _KEPT_CHIPS, "cloud_chip_pct")


def cloud_in_scenes(base: duckdb.DuckDBPyConnection) -> dict[str, Spread]:
    """Spreads the cloud of chips' whole scenes, per cent, by sensor; some have none."""
    return _by_sensor(base, _KEPT_CHIPS, "cloud_scene_pct")


def photos_per_chip(base: duckdb.DuckDBPyConnection) -> dict[str, Spread]:
    """Spreads the number of photos of chips with pixels, by sensor."""
    return _by_sensor(base, _KEPT_CHIPS, "photos", whole=True)


def indoor_scores(base: duckdb.DuckDBPyConnection) -> Spread:
    """Spreads the probability of being indoors over kept and rejected photos, in steps of 0.04."""
    steps = 25
    rows = base.execute(
        "SELECT kind, least(floor(p * ?), ? - 1)::INT AS step, count(*) FROM ("
        " SELECT 'kept' AS kind, indoor_probability AS p FROM photos UNION ALL"
        " SELECT 'left out', indoor_probability FROM rejects) WHERE p IS NOT NULL"
        " GROUP BY ALL ORDER BY ALL",
        [steps, steps],
    ).fetchall()
    return Spread(
        tuple(
            Bar(f"{step / steps:.2f}–{(step + 1) / steps:.2f}", count, kind,
                step / steps, (step + 1) / steps)
            for kind, step, count in rows
        )
    )  # fmt: skip


def owners(base: duckdb.DuckDBPyConnection) -> Owners:
    """Says which share of the kept photos the largest owners have together."""
    marks = ", ".join(str(rank) for rank in OWNER_RANKS)
    rows = base.execute(
        "WITH counted AS (SELECT count(*) AS n FROM photos GROUP BY owner),"
        " ranked AS (SELECT row_number() OVER w AS rank, sum(n) OVER w AS held FROM counted"
        " WINDOW w AS (ORDER BY n DESC ROWS UNBOUNDED PRECEDING)),"
        " everyone AS (SELECT count(*) AS owners, sum(n) AS photos FROM counted)"
        " SELECT rank, held / photos, owners FROM ranked, everyone"
        f" WHERE rank IN ({marks}) ORDER BY rank"
    ).fetchall()
    return Owners(rows[0][2] if rows else 0, tuple((rank, share) for rank, share, _ in rows))


_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

_KEPT_CHIPS: Final = f"(SELECT * FROM chips WHERE outcome = '{Outcome.KEPT}')"


def _numbered(
    base: duckdb.DuckDBPyConnection,
    number: str,
    label: Callable[[int], str],
    every: range | None = None,
) -> Spread:
    rows = base.execute(f"SELECT {number}, count(*) FROM photos GROUP BY ALL").fetchall()
    found = {int(one): count for one, count in rows if one is not None}
    if every is None:
        every = range(min(found), max(found) + 1) if found else range(0)
    return Spread(tuple(Bar(label(one), found.get(one, 0)) for one in every))


def _by_sensor(
    base: duckdb.DuckDBPyConnection, table: str, column: str, *, whole: bool = False
) -> dict[str, Spread]:
    """Spreads a figure of a table, sensor by sensor, in bins of a round width.

    Args:
        base: The views.
        table: A view, or a query in parentheses.
        column: The figure.
        whole: Whether it is a whole number, so that a bin is never narrower than 1.
    """
    limits = base.execute(
        f"SELECT sensor, min({column}), max({column}), count({column}),"
        f" quantile_cont({column}, [0.05, 0.5, 0.95]) FROM {table}"
        f" WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    spreads = {}
    for sensor, low, high, count, (q05, median, q95) in limits:
        width = bin_width(high - low, least=1.0 if whole else 0.0)
        first = math.floor(low / width)
        rows = base.execute(
            f"SELECT floor({column} / ?)::BIGINT, count(*) FROM {table}"
            f" WHERE sensor = ? AND {column} IS NOT NULL GROUP BY ALL",
            [width, sensor],
        ).fetchall()
        found = dict(rows)
        bars = tuple(
            Bar(_range(place, width, whole=whole), found.get(place, 0), "",
                round(place * width, 9), round((place + 1) * width, 9))
            for place in range(first, max(found) + 1)
        )  # fmt: skip
        spreads[sensor] = Spread(bars, (Quantiles(sensor, count, q05, median, q95),))
    return spreads


def _range(place: int, width: float, *, whole: bool) -> str:
    """Returns what a bin holds, for people."""
    low, high = round(place * width, 9), round((place + 1) * width, 9)
    if whole:
        last = int(high) - 1
        return f"{int(low)}" if last == int(low) else f"{int(low)} to {last}"
    return f"{low:g} to {high:g}"


def bin_width(extent: float, *, least: float = 0.0) -> float:
    """Returns 1, 2 or 5 times a power of ten that cuts an extent into at most `BINS` bins or so.

    Args:
        extent: From the least to the greatest figure, 0 or more.
        least: No bin is narrower.
    """
    if extent <= 0:
        return max(least, 1.0)
    power = 10.0 ** math.floor(math.log10(extent / BINS))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= extent / BINS)
    return max(least, round(width, 12))
