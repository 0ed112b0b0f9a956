"""Places on the ground: boxes, UTM zones, and the pixel grid of a chip.

Longitude comes before latitude; x (east) before y (north); rows before columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Polygon, box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sensors import Datum


_NO_SHIFT: Final = 1e-3
"""Share of a pixel that a grid may be off by rounding."""


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
        if datum.value == "wgs84_north":
            return f"EPSG:{32600 + self.number}"
        if datum.value == "nad83":
            if not self.north:
                msg = f"zone {self.name} has no NAD83 CRS: NAD83 / UTM is North American"
                raise ValueError(msg)
            return f"EPSG:{26900 + self.number}"
        return f"EPSG:{(32600 if self.north else 32700) + self.number}"

    def under(self, datum: Datum) -> Zone:
        """Returns the zone that scenes of this place are stored in, by their family of zones."""
        return Zone(self.number, True) if datum.value == "wgs84_north" else self

    @classmethod
    def at(cls, lon: float, lat: float) -> Zone:
        """Returns the zone of a point; see `zone_numbers`.

        Raises:
            ValueError: If a coordinate is not a finite number or the latitude leaves ±90°.
        """
        return cls(int(zone_numbers(np.array([lon]), np.array([lat]))[0]), lat >= 0)


def zone_numbers(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.intp]:
    """Returns the UTM zone, 1 to 60, of each point, with the exceptions of Norway and Svalbard.

    Source: NGA.SIG.0012, The Universal Grids and the Transverse Mercator and Polar Stereographic
    Map Projections, section 7 (zone 32V widened, 32X, 34X and 36X not used).

    Args:
        lon: (points,) longitudes in degrees; 180 and beyond are wrapped around.
        lat: (points,) latitudes in degrees.

    Raises:
        ValueError: If a coordinate is not a finite number or a latitude leaves ±90°.
    """
    bad = ~(np.isfinite(lon) & (np.abs(lat) <= 90))
    if bad.any():
        first = int(np.argmax(bad))
        msg = f"longitude {lon[first]}, latitude {lat[first]} is no place on Earth"
        raise ValueError(msg)
    lon = np.where((lon >= -180) & (lon < 180), lon, (lon + 180) % 360 - 180)
    # Just below 180° the sum rounds up to 360, which would be a zone 61.
    number = np.minimum(((lon + 180) // 6).astype(np.intp) + 1, 60)
    number[(lat >= 56) & (lat < 64) & (lon >= 3) & (lon < 12)] = 32
    svalbard = (lat >= 72) & (lat < 84) & (lon >= 0) & (lon < 42)
    number[svalbard] = 31 + 2 * np.searchsorted([9.0, 21.0, 33.0], lon[svalbard], side="right")
    return number


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
    def around(
        cls, x: float, y: float, crs: str, scale_m: float, size_px: int, offset_m: float = 0
    ) -> ChipGrid:
        """Places the grid whose centre is nearest to a point given in metres of its zone.

        Pixels' corners lie at whole multiples of `scale_m` and `offset_m`, in x and in y.
        """
        half = scale_m * size_px / 2
        west = math.floor((x - half - offset_m) / scale_m + 0.5) * scale_m + offset_m
        north = math.floor((y + half - offset_m) / scale_m + 0.5) * scale_m + offset_m
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

    def lies_on(self, transform: tuple[float, float, float, float, float, float]) -> bool:
        """Says whether the grid lies on whole pixels of a raster in its CRS.

        Of a raster whose pixels have another size that is not asked: True.

        Args:
            transform: (a, b, c, d, e, f) of the raster in rasterio's order, metres.
        """
        width, _, west, _, height, north = transform
        if width != self.scale_m or height != -self.scale_m:
            return True
        across, down = (self.west_m - west) / width, (self.north_m - north) / height
        return max(abs(across - round(across)), abs(down - round(down))) < _NO_SHIFT

    def pixel_of(self, x: float, y: float) -> tuple[float, float]:
        """Returns the fractional (row, column) of a point in metres; 0 is the outer corner."""
        return ((self.north_m - y) / self.scale_m, (x - self.west_m) / self.scale_m)

    def locate(self, lon: float, lat: float) -> tuple[float, float]:
        """Returns the fractional (row, column) of a point in degrees."""
        return self.pixel_of(*transformer("EPSG:4326", self.crs).transform(lon, lat))

    def point_at(self, row: float, column: float) -> tuple[float, float]:
        """Returns the longitude and latitude, in degrees, of a fractional pixel position."""
        x = self.west_m + column * self.scale_m
        y = self.north_m - row * self.scale_m
        lon, lat = transformer(self.crs, "EPSG:4326").transform(x, y)
        return (wrap_longitude(float(lon)), float(lat))

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
    return MultiPolygon([*polygons_in(east_part), *polygons_in(west_part)])


def polygons_in(geometry: shapely.Geometry) -> list[Polygon]:
    """Returns the polygons inside a geometry; points and lines where parts only touch are left."""
    return [part for part in shapely.get_parts([geometry]).tolist() if isinstance(part, Polygon)]
