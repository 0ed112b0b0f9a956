"""Where the series are: squares of a lattice around a version's photos, each of one split."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from shapely import STRtree

from collectors.geo import ChipGrid, Zone, transformer, zone_numbers
from collectors.sensors import Datum
from collectors.transport import SetupError
from filters.sampling import seeded_hash
from filters.splits import Shares, Split, SplitRule, splits_of
from flows.products.table_rows import row_groups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pyarrow as pa

    from collectors.geo import Box
    from collectors.storage import Store
    from flows.products.versions import Version

_NEAR_DEGREES: Final = 0.5
"""Squares further apart than this in longitude or latitude cannot overlap: no side is over 5 km,
which is less than this up to 84.8° of latitude, beyond which no sensor sees."""

_COLUMNS: Final = ("photo_id", "lon", "lat", "taken_at")


@dataclass(frozen=True, slots=True)
class Place:
    """A square of the lattice.

    Attributes:
        place_id: EPSG code, column and row of the lattice, as S2-NAIP names its tiles:
            `32612_960_-6049` has its north-western corner at 960 sides east and 6049 north.
        zone: UTM zone of the photos in it.
        west_m: Its western edge, metres of the zone.
        north_m: Its northern edge.
        side_m: Its side.
        target_date: Lower median of the local dates of the photos in it.
        photos: How many of the version's photos lie in it.
        split: What it is for.
    """

    place_id: str
    zone: Zone
    west_m: float
    north_m: float
    side_m: float
    target_date: date
    photos: int
    split: Split

    @property
    def crs(self) -> str:
        """The CRS of the footprint, WGS 84 / UTM."""
        return self.zone.crs(Datum.WGS84)

    def grid(self, scale_m: float, datum: Datum = Datum.WGS84) -> ChipGrid:
        """Returns the footprint's pixels of a size, in a family of zones.

        NAD83 and WGS 84 are taken as one datum, so the numbers are the same in both.
        """
        return ChipGrid(
            self.zone.crs(datum), self.west_m, self.north_m, scale_m, round(self.side_m / scale_m)
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """The places of a series.

    Attributes:
        places: In the order of chance.
        left_out: How many squares with photos were not taken, by reason.
    """

    places: tuple[Place, ...]
    left_out: dict[str, int]


def choose_places(
    store: Store, version: Version, side_m: float, extents: Sequence[Box], wanted: int
) -> Choice:
    """Chooses the squares of a lattice that hold photos of a version.

    In each UTM zone the lattice begins at 0, 0. Squares come in an order drawn by the dataset's
    seed, the same whatever is wanted, so that the first 20 of 40 are those of 20.

    Args:
        store: The dataset.
        version: The version.
        side_m: Side of a square, metres.
        extents: Where the sensors have scenes at all; a square's centre lies in each.
        wanted: How many.

    Raises:
        SetupError: If there is not one.
    """
    rule = _split_rule(version)
    squares = _squares(store, version, side_m)
    seed = version.manifest["seed"]
    order = sorted(squares, key=lambda name: (seeded_hash(seed, f"place {name}"), name))
    left_out: Counter[str] = Counter()
    found: list[Place] = []
    apart = _Apart()
    for name in order:
        if len(found) == wanted:
            left_out["not_wanted"] += 1
            continue
        zone, west, north, days = squares[name]
        place = Place(
            name, zone, west, north, side_m, sorted(days)[(len(days) - 1) // 2], len(days),
            Split.NONE,
        )  # fmt: skip
        grid = place.grid(side_m)
        lon, lat = grid.point_at(0.5, 0.5)
        if not all(extent.holds(lon, lat) for extent in extents):
            left_out["outside_extent"] += 1
            continue
        (split,) = splits_of([grid], rule)
        if split is Split.NONE:
            left_out["between_splits"] += 1
        elif apart.admits(grid):
            found.append(replace(place, split=split))
        else:
            left_out["overlaps"] += 1
    if not found:
        raise SetupError(
            f"{store.root} {version.name}",
            f"has no place for a series ({dict(left_out) or 'it has no photos'}).",
            "Choose a series whose sensors reach the dataset's ground, or build more.",
        )
    return Choice(tuple(found), dict(sorted(left_out.items())))


class _Apart:
    """Sees that squares of different zones do not overlap; those of one zone never do."""

    def __init__(self) -> None:
        self._taken: dict[tuple[int, int], list[tuple[str, ChipGrid]]] = {}

    def admits(self, grid: ChipGrid) -> bool:
        """Takes a square, unless it meets one of another zone that was taken before."""
        lon, lat = grid.point_at(grid.size_px / 2, grid.size_px / 2)
        steps = round(360 / _NEAR_DEGREES)
        column, row = math.floor(lon / _NEAR_DEGREES), math.floor(lat / _NEAR_DEGREES)
        near = [
            other.footprint()
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
            for crs, other in self._taken.get(((column + across) % steps, row + down), [])
            if crs != grid.crs
        ]
        shape = grid.footprint()
        if near and STRtree(near).query(shape, predicate="intersects").size:
            return False
        self._taken.setdefault((column % steps, row), []).append((grid.crs, grid))
        return True


def _split_rule(version: Version) -> SplitRule:
    said = version.manifest["splits"]
    shares = Shares(said["train_pct"], said["val_pct"], said["test_pct"])
    return SplitRule(version.manifest["seed"], shares, said["block_cells"])


def _squares(
    store: Store, version: Version, side_m: float
) -> dict[str, tuple[Zone, float, float, list[date]]]:
    """Returns the squares with photos: zone, western and northern edge, and the photos' days."""
    found: dict[str, tuple[Zone, float, float, list[date]]] = {}
    for table in row_groups(store, version, "photos", _COLUMNS):
        days = [moment.date() for moment in table["taken_at"].to_pylist()]
        for place, (zone, column, row) in enumerate(_lattice(table, side_m)):
            name = f"{zone.crs(Datum.WGS84).removeprefix('EPSG:')}_{column}_{row}"
            square = found.setdefault(name, (zone, column * side_m, -row * side_m, []))
            square[3].append(days[place])
    return found


def _lattice(table: pa.Table, side_m: float) -> list[tuple[Zone, int, int]]:
    """Returns zone, column and row of the lattice for each photo of a table."""
    lon, lat = table["lon"].to_numpy(), table["lat"].to_numpy()
    numbers = zone_numbers(lon, lat)
    places: list[tuple[Zone, int, int]] = [(Zone(1, north=True), 0, 0)] * len(lon)
    for number, north in {*zip(numbers.tolist(), (lat >= 0).tolist(), strict=True)}:
        zone = Zone(number, north)
        (own,) = np.nonzero((numbers == number) & ((lat >= 0) == north))
        x, y = transformer("EPSG:4326", zone.crs(Datum.WGS84)).transform(lon[own], lat[own])
        columns, rows = np.floor(x / side_m), -np.ceil(y / side_m)
        for place, column, row in zip(own, columns, rows, strict=True):
            places[place] = (zone, int(column), int(row))
    return places
