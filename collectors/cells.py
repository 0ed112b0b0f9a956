"""The global grid of equal-area cells, and how a region is cut into them.

Longitude comes before latitude, both in degrees of WGS 84.
"""

from __future__ import annotations

import math
import re
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from collectors.geo import Box, polygons_in, transformer, wrap_longitude

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EQUAL_AREA_CRS: Final = "EPSG:6933"
"""NSIDC EASE-Grid 2.0 Global: cylindrical equal-area, so that x depends on longitude alone."""

COLUMNS: Final = 348
"""Cells around the Earth: the whole number that brings their width nearest to 100 km (99.8 km)."""

_HALF_WORLD_M: Final = 17_367_530.445161372
"""x of longitude 180° in EPSG:6933, metres."""

CELL_SIDE_M: Final = 2 * _HALF_WORLD_M / COLUMNS
_ROWS_NORTH: Final = 74
"""Rows of cells from the equator to a pole; the last one is cut by the pole."""


@lru_cache(maxsize=1)
def _row_edges() -> NDArray[np.float64]:
    """Returns the latitudes, in degrees, of the edges between rows of cells, south to north."""
    steps = np.arange(-_ROWS_NORTH, _ROWS_NORTH + 1)
    y = steps[1:-1] * CELL_SIDE_M
    _, lat = transformer(EQUAL_AREA_CRS, "EPSG:4326").transform(np.zeros_like(y), y)
    return np.concatenate([[-90.0], lat, [90.0]])


@lru_cache(maxsize=1)
def _column_edges() -> NDArray[np.float64]:
    """Returns the longitudes, in degrees, of the edges between columns of cells, west to east."""
    return -180.0 + 360.0 * np.arange(COLUMNS + 1) / COLUMNS


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A cell of the global equal-area grid: 99.8 km × 99.8 km of ground, a plain lon/lat box.

    Attributes:
        row: Counted from the South Pole, 0 to 147.
        column: Counted from longitude −180°, 0 to 347.
    """

    row: int
    column: int

    @property
    def cell_id(self) -> str:
        """The cell's name, such as `r112c057`; it sorts from south to north, then west to east."""
        return f"r{self.row:03d}c{self.column:03d}"

    @property
    def box(self) -> Box:
        """The cell's half-open box in degrees."""
        lat, lon = _row_edges(), _column_edges()
        return Box(
            float(lon[self.column]), float(lat[self.row]),
            float(lon[self.column + 1]), float(lat[self.row + 1]),
        )  # fmt: skip

    @classmethod
    def at(cls, lon: float, lat: float) -> Cell:
        """Returns the cell that holds a point in degrees."""
        row = int(np.searchsorted(_row_edges(), lat, side="right")) - 1
        column = int(np.searchsorted(_column_edges(), wrap_longitude(lon), side="right")) - 1
        return cls(min(max(row, 0), 2 * _ROWS_NORTH - 1), column)

    @classmethod
    def parse(cls, cell_id: str) -> Cell:
        """Reads a cell's name.

        Raises:
            ValueError: If it is not of the form `r112c057` or lies outside the grid.
        """
        match = re.fullmatch(r"r(\d{3})c(\d{3})", cell_id)
        if match is None or int(match[1]) >= 2 * _ROWS_NORTH or int(match[2]) >= COLUMNS:
            msg = f"{cell_id!r} is not the name of a cell: r000c000 to r147c347 are"
            raise ValueError(msg)
        return cls(int(match[1]), int(match[2]))


def tile_at(lon: float, lat: float, parts: int) -> tuple[int, int]:
    """Returns the tile that holds a point, where every cell is cut into parts × parts tiles.

    Args:
        lon: Degrees.
        lat: Degrees.
        parts: Tiles across a cell; all have the same area.

    Returns:
        Row, counted from the South Pole, and column, counted from longitude −180°.
    """
    column = math.floor((wrap_longitude(lon) + 180.0) / 360.0 * COLUMNS * parts)
    _, y = transformer("EPSG:4326", EQUAL_AREA_CRS).transform(0.0, lat)
    return math.floor((y / CELL_SIDE_M + _ROWS_NORTH) * parts), column


def tile_box(row: int, column: int, parts: int) -> Box:
    """Returns the box, in degrees, of a tile that `tile_at` names, without going beyond the poles.

    Args:
        row: Counted from the South Pole.
        column: Counted from longitude −180°.
        parts: Tiles across a cell.
    """
    edges = np.array([row, row + 1]) / parts - _ROWS_NORTH
    to_degrees = transformer(EQUAL_AREA_CRS, "EPSG:4326")
    _, lat = to_degrees.transform(np.zeros(2), edges * CELL_SIDE_M)
    south, north = np.where(np.isfinite(lat), lat, np.copysign(90.0, edges))  # beyond a pole
    west, east = (-180.0 + 360.0 * one / (COLUMNS * parts) for one in (column, column + 1))
    return Box(west, float(south), east, float(north))


@dataclass(frozen=True, slots=True)
class Ground:
    """The part of a cell that a region holds.

    Attributes:
        cell: The cell.
        polygon: That part, a polygon or several, in degrees.
        share: Its area over the cell's area, 0 < share ≤ 1.
    """

    cell: Cell
    polygon: Polygon | MultiPolygon
    share: float

    @property
    def bounds(self) -> Box:
        """The smallest box around the part, in degrees."""
        return Box(*self.polygon.bounds)

    def holds(self, lon: float, lat: float) -> bool:
        """Says whether a point lies in the cell (half-open) and in the region (edge included)."""
        return self.cell.box.holds(lon, lat) and bool(shapely.intersects_xy(self.polygon, lon, lat))


def grounds_of(region: Polygon | MultiPolygon) -> Iterator[Ground]:
    """Cuts a region into its cells, south to north and west to east.

    Args:
        region: Polygon or polygons in degrees, −180 to 180; one across the antimeridian is given
            as parts on either side.

    Yields:
        The cells that share area with the region, each with its part. Areas are measured in
        EPSG:6933, where a lon/lat box is a rectangle.
    """
    shapely.prepare(region)
    west, south, east, north = region.bounds
    low, high = Cell.at(west, south), Cell.at(min(east, math.nextafter(180, 0)), north)
    for row in range(low.row, high.row + 1):
        cells = [Cell(row, column) for column in range(low.column, high.column + 1)]
        edges = np.array([astuple(cell.box) for cell in cells])  # west, south, east, north
        wholes = shapely.box(*edges.T)
        # One question for a row: a region around the world has tens of thousands of cells.
        for place in np.flatnonzero(shapely.intersects(region, wholes)).tolist():
            cell, whole = cells[place], wholes[place]
            part = whole if region.contains_properly(whole) else region.intersection(whole)
            areas = [piece for piece in polygons_in(part) if piece.area > 0]
            if not areas:
                continue
            polygon = areas[0] if len(areas) == 1 else MultiPolygon(areas)
            share = min(1.0, _area_m2(polygon) / _area_m2(whole))
            yield Ground(cell, polygon, share)


def _area_m2(polygon: Polygon | MultiPolygon) -> float:
    """Returns the true area in square metres, by way of the equal-area projection."""
    project = transformer("EPSG:4326", EQUAL_AREA_CRS)
    flat = shapely.transform(
        polygon, lambda xy: np.column_stack(project.transform(xy[:, 0], xy[:, 1]))
    )
    return float(flat.area)
