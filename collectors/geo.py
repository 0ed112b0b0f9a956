"""Places on the ground: the global grid of cells, UTM zones, boxes, and the pixel grid of a chip.

Longitude comes before latitude; x (east) before y (north); rows before columns.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Polygon, box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from collectors.records import Datum

EQUAL_AREA_CRS: Final = "EPSG:6933"
"""NSIDC EASE-Grid 2.0 Global: cylindrical equal-area, so that x depends on longitude alone."""

COLUMNS: Final = 348
"""Cells around the Earth: the whole number that brings their width nearest to 100 km (99.8 km)."""

_HALF_WORLD_M: Final = 17_367_530.445161372
"""x of longitude 180° in EPSG:6933, metres."""

CELL_SIDE_M: Final = 2 * _HALF_WORLD_M / COLUMNS
_ROWS_NORTH: Final = 74
"""Rows of cells from the equator to a pole; the last one is cut by the pole."""


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> Transformer:
    """Returns a cached transformer between two CRS names, x before y on both sides."""
    return Transformer.from_crs(source, target, always_xy=True)


def wrap_longitude(lon: float) -> float:
    """Brings a longitude in degrees into −180 ≤ lon < 180."""
    return lon if -180 <= lon < 180 else (lon + 180) % 360 - 180


@dataclass(frozen=True, slots=True)
class Box:
    """A longitude/latitude box in degrees, half-open: west ≤ lon < east, south ≤ lat < north.

    A box never crosses the antimeridian: west < east. See `boxes_of` for those that do.
    """

    west: float
    south: float
    east: float
    north: float

    def holds(self, lon: float, lat: float) -> bool:
        """Says whether a point lies in the half-open box."""
        return self.west <= lon < self.east and self.south <= lat < self.north

    def polygon(self) -> Polygon:
        """Returns the box as a polygon in degrees."""
        return box(self.west, self.south, self.east, self.north)

    def quarters(self) -> tuple[Box, Box, Box, Box]:
        """Splits the box at its middle into SW, SE, NW and NE."""
        lon, lat = (self.west + self.east) / 2, (self.south + self.north) / 2
        return (
            Box(self.west, self.south, lon, lat),
            Box(lon, self.south, self.east, lat),
            Box(self.west, lat, lon, self.north),
            Box(lon, lat, self.east, self.north),
        )


def boxes_of(west: float, south: float, east: float, north: float) -> tuple[Box, ...]:
    """Returns the one or two boxes of a bounding box; west > east means across the antimeridian."""
    if west <= east:
        return (Box(west, south, east, north),)
    return (Box(west, south, 180.0, north), Box(-180.0, south, east, north))


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
        for column in range(low.column, high.column + 1):
            cell = Cell(row, column)
            whole = cell.box.polygon()
            if not region.intersects(whole):
                continue
            part = whole if region.contains_properly(whole) else region.intersection(whole)
            areas = [piece for piece in _polygons(part) if piece.area > 0]
            if not areas:
                continue
            polygon = areas[0] if len(areas) == 1 else MultiPolygon(areas)
            share = min(1.0, _area_m2(polygon) / _area_m2(whole))
            yield Ground(cell, polygon, share)


def _polygons(geometry: shapely.Geometry) -> list[Polygon]:
    """Returns the polygons inside a geometry; points and lines where parts only touch are left."""
    return [part for part in shapely.get_parts([geometry]).tolist() if isinstance(part, Polygon)]


def _area_m2(polygon: Polygon | MultiPolygon) -> float:
    """Returns the true area in square metres, by way of the equal-area projection."""
    project = transformer("EPSG:4326", EQUAL_AREA_CRS)
    flat = shapely.transform(
        polygon, lambda xy: np.column_stack(project.transform(xy[:, 0], xy[:, 1]))
    )
    return float(flat.area)


@dataclass(frozen=True, slots=True)
class Zone:
    """A UTM zone with its hemisphere, by MGRS rules.

    Attributes:
        number: 1 to 60.
        north: Whether it is the northern half.
    """

    number: int
    north: bool

    @property
    def name(self) -> str:
        """The zone's name, such as `10N` or `56S` (hemisphere, not latitude band)."""
        return f"{self.number:02d}{'N' if self.north else 'S'}"

    def crs(self, datum: Datum) -> str:
        """Returns the zone's `EPSG:…` in a family of zones.

        Raises:
            ValueError: If NAD83 is asked for south of the equator, where it has no zones.
        """
        if datum.value == "nad83":
            if not self.north:
                msg = f"zone {self.name} has no NAD83 CRS: NAD83 / UTM is North American"
                raise ValueError(msg)
            return f"EPSG:{26900 + self.number}"
        return f"EPSG:{(32600 if self.north else 32700) + self.number}"

    @classmethod
    def at(cls, lon: float, lat: float) -> Zone:
        """Returns the zone of a point, with the exceptions of Norway and Svalbard.

        Source: NGA.SIG.0012, The Universal Grids and the Transverse Mercator and Polar
        Stereographic Map Projections, section 7 (zone 32V widened, 32X, 34X and 36X not used).
        """
        lon = wrap_longitude(lon)
        number = int((lon + 180) // 6) + 1
        if 56 <= lat < 64 and 3 <= lon < 12:
            number = 32
        elif 72 <= lat < 84 and 0 <= lon < 42:
            number = 31 if lon < 9 else 33 if lon < 21 else 35 if lon < 33 else 37
        return cls(number, lat >= 0)


@dataclass(frozen=True, slots=True)
class ChipGrid:
    """The pixel grid of a chip: square, north up, on whole pixels of its sensor.

    Attributes:
        crs: `EPSG:…` of a UTM zone.
        west_m: x of the outer edge of the first column, metres.
        north_m: y of the outer edge of the first row, metres.
        scale_m: Size of a pixel in metres.
        size_px: Rows, and columns.
    """

    crs: str
    west_m: float
    north_m: float
    scale_m: float
    size_px: int

    @classmethod
    def around(cls, x: float, y: float, crs: str, scale_m: float, size_px: int) -> ChipGrid:
        """Places the grid whose centre is nearest to a point given in metres of its zone."""
        half = scale_m * size_px / 2
        west = math.floor((x - half) / scale_m + 0.5) * scale_m
        north = math.floor((y + half) / scale_m + 0.5) * scale_m
        return cls(crs, west, north, scale_m, size_px)

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """(a, b, c, d, e, f) in rasterio's order: column, row → x, y in metres."""
        return (self.scale_m, 0.0, self.west_m, 0.0, -self.scale_m, self.north_m)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the outer edges, metres."""
        side = self.scale_m * self.size_px
        return (self.west_m, self.north_m - side, self.west_m + side, self.north_m)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the grid's centre, metres."""
        half = self.scale_m * self.size_px / 2
        return (self.west_m + half, self.north_m - half)

    def pixel_of(self, x: float, y: float) -> tuple[float, float]:
        """Returns the fractional (row, column) of a point in metres; 0 is the outer corner."""
        return ((self.north_m - y) / self.scale_m, (x - self.west_m) / self.scale_m)

    def locate(self, lon: float, lat: float) -> tuple[float, float]:
        """Returns the fractional (row, column) of a point in degrees."""
        return self.pixel_of(*transformer("EPSG:4326", self.crs).transform(lon, lat))

    def area_holds(self, row: float, column: float, area_px: int) -> bool:
        """Says whether a pixel position lies in the half-open central area of interest."""
        low = (self.size_px - area_px) / 2
        return low <= row < low + area_px and low <= column < low + area_px

    def footprint(self, *, edge_points: int = 4) -> Polygon | MultiPolygon:
        """Returns the chip's outline in degrees; two polygons where it crosses the antimeridian.

        Args:
            edge_points: Points on each edge, because an edge that is straight in UTM is curved in
                degrees.
        """
        return outline(self.bounds, self.crs, edge_points=edge_points)

    def area_footprint(self, area_px: int, *, edge_points: int = 4) -> Polygon | MultiPolygon:
        """Returns the outline, in degrees, of the central area of interest."""
        x, y = self.centre
        half = self.scale_m * area_px / 2
        return outline((x - half, y - half, x + half, y + half), self.crs, edge_points=edge_points)


def outline(
    bounds_m: tuple[float, float, float, float], crs: str, *, edge_points: int
) -> Polygon | MultiPolygon:
    """Returns a box of a UTM zone as a polygon in degrees, split at the antimeridian.

    Args:
        bounds_m: (west, south, east, north) in metres of the zone.
        crs: `EPSG:…` of the zone.
        edge_points: Points on each edge, corner included.
    """
    west, south, east, north = bounds_m
    step = np.linspace(0, 1, edge_points, endpoint=False)
    x = np.concatenate([west + (east - west) * step, np.full(edge_points, east),
                        east - (east - west) * step, np.full(edge_points, west)])  # fmt: skip
    y = np.concatenate([np.full(edge_points, south), south + (north - south) * step,
                        np.full(edge_points, north), north - (north - south) * step])  # fmt: skip
    lon, lat = transformer(crs, "EPSG:4326").transform(x, y)
    lon = np.asarray(lon)
    if lon.max() - lon.min() <= 180:
        return Polygon(np.column_stack([lon, lat]))
    unrolled = Polygon(np.column_stack([np.where(lon < 0, lon + 360, lon), lat]))
    east_part = unrolled.intersection(box(0, -90, 180, 90))
    west_part = shapely.transform(
        unrolled.intersection(box(180, -90, 540, 90)), lambda xy: xy - np.array([360.0, 0.0])
    )
    return MultiPolygon([*_polygons(east_part), *_polygons(west_part)])
