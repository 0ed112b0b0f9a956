"""The map of a report: cells on their own equal-area grid, where each is a square of side 1.

x grows eastwards from longitude −180° (a cell's column), y southwards from the North Pole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from collectors.cells import CELL_SIDE_M, COLUMNS, EQUAL_AREA_CRS, Cell
from collectors.geo import transformer
from collectors.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    from numpy.typing import NDArray

ROWS: Final = 148
"""Rows of cells from pole to pole."""

SHADES: Final = 5
"""Classes of kept photos on the map, at most."""

NORTHERNMOST: Final = 85
"""Latitude, degrees, up to which lines of the grid are drawn."""

_MARGIN: Final = 1.5
"""Cells left free around what the map shows first."""


@dataclass(frozen=True, slots=True)
class CellCounts:
    """What a cell has.

    Attributes:
        cell: Its place in the grid.
        seen: Photos that were seen.
        kept: Photos in the dataset.
        chips: Chips with pixels.
        pairs: Photos in chips.
        zone: Time zone of most of its photos; empty where none were kept.
    """

    cell: Cell
    seen: int
    kept: int
    chips: int
    pairs: int
    zone: str

    @property
    def x(self) -> int:
        """Its western edge on the map."""
        return self.cell.column

    @property
    def y(self) -> int:
        """Its northern edge on the map."""
        return ROWS - 1 - self.cell.row


@dataclass(frozen=True, slots=True)
class Shade:
    """A class of the map: cells with about as many photos.

    Attributes:
        number: 0 for cells without photos, then 1 upwards.
        low: Fewest photos.
        high: Most photos.
        cells: How many cells.
    """

    number: int
    low: int
    high: int
    cells: int

    @property
    def label(self) -> str:
        """Its range of photos, for people."""
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"


@dataclass(frozen=True, slots=True)
class Shading:
    """How kept photos become classes.

    Attributes:
        first: Fewest photos of class 1.
        width: Photos from class to class.
        classes: Those of the legend.
    """

    first: int
    width: int
    classes: tuple[Shade, ...]

    def of(self, kept: int) -> int:
        """Returns the class of a cell with so many photos."""
        return 0 if kept == 0 else 1 + (kept - self.first) // self.width


def count_cells(base: duckdb.DuckDBPyConnection, names: Iterable[str]) -> tuple[CellCounts, ...]:
    """Counts by cell, in the order of most photos; cells in which nothing was seen included.

    Args:
        base: The views.
        names: The version's cells.
    """
    kept = _by_cell(base, "SELECT cell, count(*) FROM photos GROUP BY cell")
    lost = _by_cell(base, "SELECT cell, count(*) FROM rejects GROUP BY cell")
    chips = _by_cell(
        base,
        f"SELECT cell, count(*) FROM chips WHERE outcome = '{Outcome.KEPT}' GROUP BY cell",
    )
    pairs = _by_cell(base, "SELECT cell, count(*) FROM pairs GROUP BY cell")
    zones = _by_cell(
        base,
        "SELECT cell, time_zone FROM (SELECT cell, time_zone, count(*) AS n FROM photos"
        " GROUP BY ALL) QUALIFY row_number() OVER (PARTITION BY cell ORDER BY n DESC, 2) = 1",
    )
    found = [
        CellCounts(Cell.parse(name), kept.get(name, 0) + lost.get(name, 0), kept.get(name, 0),
                   chips.get(name, 0), pairs.get(name, 0), zones.get(name, ""))
        for name in set(names) | set(kept) | set(lost)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.kept, one.cell)))


def _by_cell(base: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    return dict(base.execute(sql).fetchall())


def shade(counts: Iterable[CellCounts]) -> Shading:
    """Cuts the range of kept photos into at most `SHADES` classes of a round width."""
    kept = Counter(one.kept for one in counts)
    some = [number for number in kept if number]
    if not some:
        return Shading(1, 1, (Shade(0, 0, 0, kept[0]),) if kept[0] else ())
    width = _width(min(some), max(some))
    first = min(some) // width * width
    shading = Shading(first, width, ())
    cells: Counter[int] = Counter()
    for number, count in kept.items():
        cells[shading.of(number)] += count
    classes = [Shade(0, 0, 0, cells[0])] if cells[0] else []
    for number in range(1, shading.of(max(some)) + 1):
        low = first + (number - 1) * width
        classes.append(Shade(number, max(low, 1), low + width - 1, cells[number]))
    return Shading(first, width, tuple(classes))


def _width(low: int, high: int) -> int:
    """Returns 1, 2 or 5 times a power of ten such that no more than `SHADES` classes are needed."""
    for power in range(18):
        for step in (1, 2, 5):
            width: int = step * 10**power
            if high // width - low // width < SHADES:
                return width
    raise ValueError(f"{high} photos are more than there are")


def first_view(counts: Iterable[CellCounts]) -> tuple[float, float, float, float]:
    """Returns x, y, width and height of the part of the map that holds all cells."""
    places = [(one.x, one.y) for one in counts]
    if not places:
        return 0.0, 0.0, float(COLUMNS), float(ROWS)
    west, north = (min(values) - _MARGIN for values in zip(*places, strict=True))
    east, south = (max(values) + 1 + _MARGIN for values in zip(*places, strict=True))
    return west, north, east - west, south - north


def degrees_to_map(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns x and y on the map, (n, 2), of points in degrees."""
    _, y = transformer("EPSG:4326", EQUAL_AREA_CRS).transform(np.zeros_like(lat), lat)
    return np.column_stack(
        [(lon + 180.0) / 360.0 * COLUMNS, ROWS / 2 - np.asarray(y) / CELL_SIDE_M]
    )


def parallels() -> list[float]:
    """Returns y of every whole degree of latitude from `NORTHERNMOST` north to as far south."""
    lat = np.arange(NORTHERNMOST, -NORTHERNMOST - 1, -1, dtype=np.float64)
    return [round(float(y), 3) for y in degrees_to_map(np.zeros_like(lat), lat)[:, 1]]


def land() -> str | None:
    """Returns the land as the data of an SVG path; None where no outlines are at hand.

    Nothing is fetched for it. The library that reads vector files carries a small table of
    countries for its own tests, Natural Earth's at 1:110 million, which is in the public domain.
    """
    import pyogrio

    path = (
        Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
    )
    if not path.is_file():
        return None
    _, _, geometries, _ = pyogrio.raw.read(path, columns=[])
    whole = shapely.union_all(shapely.make_valid(shapely.from_wkb(geometries)))
    flat = shapely.transform(whole, lambda xy: degrees_to_map(xy[:, 0], xy[:, 1]))
    pieces = []
    for ring in shapely.get_rings(shapely.get_parts(flat)):
        points = [f"{x:.2f} {y:.2f}" for x, y in shapely.get_coordinates(ring)[:-1]]
        pieces.append(f"M{'L'.join(points)}Z")
    return "".join(pieces)


def squares(counts: Iterable[CellCounts], shading: Shading) -> dict[int, str]:
    """Returns the cells of each class as the data of one SVG path."""
    pieces: dict[int, list[str]] = {}
    for one in sorted(counts, key=lambda one: one.cell):
        pieces.setdefault(shading.of(one.kept), []).append(f"M{one.x} {one.y}h1v1h-1z")
    return {number: "".join(pieces[number]) for number in sorted(pieces)}


def places(counts: Iterable[CellCounts]) -> list[dict[str, Any]]:
    """Returns the parts of the map that can be gone to: the cells of each time zone together."""
    zones: dict[str, list[CellCounts]] = {}
    for one in counts:
        zones.setdefault(one.zone, []).append(one)
    found = [
        {
            "name": name,
            "cells": len(cells),
            "kept": sum(one.kept for one in cells),
            "view": [round(number, 2) for number in first_view(cells)],
        }
        for name, cells in zones.items()
        if name
    ]
    return sorted(found, key=lambda one: (-one["kept"], one["name"]))
