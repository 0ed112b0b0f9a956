"""What the tables of a version come to: the figures that its descriptions state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import duckdb

from collectors.storage import Missing
from flows.products.table_rows import unreadable
from flows.products.versions import local_files
from flows.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.progress import Progress

MEMORY_LIMIT: Final = "1GB"
"""What DuckDB may hold before it spills to disk."""

Bounds = tuple[float, float, float, float]


@dataclass(slots=True)
class SensorFacts:
    """What a version holds of one sensor.

    Attributes:
        outcomes: Chips by outcome.
        pairs: Pairs by split.
        bounds: (west, south, east, north) of the chips with pixels, degrees.
        acquired: First and last time of a scene, UTC.
        crs: Chips with pixels by `EPSG:…`.
        bands: Lists of bands, by the number of chips that have them.
        cloud_pct: Least and most cloud measured in a chip; None where it is not measured.
        source_gsd_m: Least and greatest size of a scene's own pixels.
        gaps: Pairs by days from the photo to the scene.
        bytes: Of all GeoTIFFs together.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    bounds: Bounds | None = None
    acquired: tuple[datetime, datetime] | None = None
    crs: Counter[str] = field(default_factory=Counter)
    bands: Counter[tuple[str, ...]] = field(default_factory=Counter)
    cloud_pct: tuple[float, float] | None = None
    source_gsd_m: tuple[float, float] | None = None
    gaps: Counter[int] = field(default_factory=Counter)
    bytes: int = 0

    @property
    def kept(self) -> int:
        """Chips with pixels."""
        return self.outcomes["kept"]

    @property
    def all_bands(self) -> tuple[str, ...]:
        """The bands of most chips; of lists that are as common, the longest."""
        ranked = sorted(self.bands.items(), key=lambda one: (-one[1], -len(one[0]), one[0]))
        return ranked[0][0] if ranked else ()

    def gap_days(self, share: float) -> int:
        """Returns the days, either way, within which this share of the pairs lies."""
        by_distance: Counter[int] = Counter()
        for days, count in self.gaps.items():
            by_distance[abs(days)] += count
        wanted, seen = share * by_distance.total(), 0
        for days, count in sorted(by_distance.items()):
            seen += count
            if seen >= wanted:
                return days
        return 0


@dataclass(slots=True)
class Facts:
    """What a version holds.

    Attributes:
        rows: Rows by product.
        bounds: (west, south, east, north) of the photos, degrees.
        taken: First and last local time of capture.
        licences: Photos by licence, most first.
        owners: How many people the photos are of.
        largest_owner: Photos of the owner who has most.
        photo_bytes: Of all JPEGs together.
        rejects: Other photos that were seen, by (stage, reason), most first.
        sensors: By name.
    """

    rows: Mapping[str, int]
    bounds: Bounds | None = None
    taken: tuple[datetime, datetime] | None = None
    licences: dict[str, int] = field(default_factory=dict)
    owners: int = 0
    largest_owner: int = 0
    photo_bytes: int = 0
    rejects: dict[tuple[str, str], int] = field(default_factory=dict)
    sensors: dict[str, SensorFacts] = field(default_factory=dict)


def gather_facts(store: Store, version: Version, progress: Progress = no_progress) -> Facts:
    """Reads the tables of a version once, a file at a time.

    Memory grows with the number of owners (some 60 bytes each), and with nothing else.

    Args:
        store: The dataset.
        version: The version; of its manifest, `tables` and `sensors` are used.
        progress: Hears how many files were read.

    Raises:
        SetupError: If a file is missing or damaged.
    """
    facts = Facts({product: version.rows(product) for product in version.manifest["tables"]})
    facts.sensors = {name: SensorFacts() for name in version.manifest["sensors"]}
    read = {"photos": _photos, "chips": _chips, "pairs": _pairs, "rejects": _rejects}
    files = [(product, path) for product in read for path in version.files(product)]
    with duckdb.connect() as base:
        base.execute("SET threads=2")
        base.execute(f"SET memory_limit='{MEMORY_LIMIT}'")
        base.execute("CREATE TABLE owned (owner VARCHAR, photos BIGINT)")
        for done, (product, path) in enumerate(files):
            progress("tables read", done, len(files))
            try:
                with local_files(store, [path]) as (local,):
                    base.read_parquet([str(local)]).create_view("rows_here", replace=True)
                    read[product](base, facts)
            except (duckdb.IOException, duckdb.InvalidInputException, Missing) as error:
                raise unreadable(store, version, [product], error) from None
        owners, largest = base.execute(
            "SELECT count(*), coalesce(max(photos), 0) FROM"
            " (SELECT sum(photos)::BIGINT AS photos FROM owned GROUP BY owner)"
        ).fetchall()[0]
    facts.owners, facts.largest_owner = owners, largest
    facts.licences = dict(_ranked(facts.licences.items()))
    facts.rejects = dict(_ranked(facts.rejects.items()))
    progress("tables read", len(files), len(files))
    return facts


def _photos(base: duckdb.DuckDBPyConnection, facts: Facts) -> None:
    base.execute("INSERT INTO owned SELECT owner, count(*) FROM rows_here GROUP BY owner")
    for licence, count in _rows(base, "SELECT licence, count(*) FROM rows_here GROUP BY 1"):
        facts.licences[licence] = facts.licences.get(licence, 0) + count
    for *box, first, last, size in _rows(
        base,
        "SELECT min(lon), min(lat), max(lon), max(lat), min(taken_at), max(taken_at), sum(size)"
        " FROM rows_here HAVING count(*) > 0",
    ):
        facts.bounds = _joined(facts.bounds, box)
        facts.taken = _widened(facts.taken, (first, last))
        facts.photo_bytes += int(size)


def _chips(base: duckdb.DuckDBPyConnection, facts: Facts) -> None:
    outcomes = "SELECT sensor, outcome, count(*) FROM rows_here GROUP BY 1, 2"
    for sensor, outcome, count in _rows(base, outcomes):
        _sensor(facts, sensor).outcomes[outcome] += count
    for sensor, crs, count in _kept(base, "crs, count(*)", "1, 2"):
        _sensor(facts, sensor).crs[crs] += count
    for sensor, bands, count in _kept(base, "bands, count(*)", "1, 2"):
        _sensor(facts, sensor).bands[tuple(bands)] += count
    for sensor, *box, first, last, least, most, fine, coarse, size in _kept(
        base,
        "min(bbox.xmin), min(bbox.ymin), max(bbox.xmax), max(bbox.ymax), min(acquired_at),"
        " max(acquired_at), min(cloud_chip_pct), max(cloud_chip_pct), min(source_gsd_m),"
        " max(source_gsd_m), sum(size)",
        "1",
    ):
        one = _sensor(facts, sensor)
        one.bounds = _joined(one.bounds, box)
        one.acquired = _widened(one.acquired, (first, last))
        one.bytes += int(size)
        if least is not None:
            one.cloud_pct = _widened(one.cloud_pct, (least, most))
        if fine is not None:
            one.source_gsd_m = _widened(one.source_gsd_m, (fine, coarse))


def _pairs(base: duckdb.DuckDBPyConnection, facts: Facts) -> None:
    for sensor, split, count in _rows(
        base, "SELECT sensor, split, count(*) FROM rows_here GROUP BY 1, 2"
    ):
        _sensor(facts, sensor).pairs[split] += count
    for sensor, days, count in _rows(
        base, "SELECT sensor, delta_days, count(*) FROM rows_here GROUP BY 1, 2"
    ):
        _sensor(facts, sensor).gaps[days] += count


def _rejects(base: duckdb.DuckDBPyConnection, facts: Facts) -> None:
    for stage, reason, count in _rows(
        base, "SELECT stage, reason, count(*) FROM rows_here GROUP BY 1, 2"
    ):
        facts.rejects[stage, reason] = facts.rejects.get((stage, reason), 0) + count


def _rows(base: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return base.execute(query).fetchall()


def _kept(base: duckdb.DuckDBPyConnection, wanted: str, groups: str) -> list[Any]:
    """Returns aggregates, by sensor, of the chips that have pixels."""
    chosen = f"SELECT sensor, {wanted} FROM rows_here WHERE outcome = 'kept'"  # noqa: S608
    return _rows(base, f"{chosen} GROUP BY {groups}")


def _sensor(facts: Facts, name: str) -> SensorFacts:
    return facts.sensors.setdefault(name, SensorFacts())


def _joined(one: Bounds | None, box: Iterable[float]) -> Bounds:
    """Returns the box around two boxes."""
    west, south, east, north = box
    if one is None:
        return (west, south, east, north)
    return (min(one[0], west), min(one[1], south), max(one[2], east), max(one[3], north))


def _widened(one: Any, other: tuple[Any, Any]) -> Any:
    """Returns the range around two ranges."""
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


def _ranked(counts: Iterable[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Returns counts, most first; of the same count, by name."""
    return sorted(counts, key=lambda one: (-one[1], one[0]))
