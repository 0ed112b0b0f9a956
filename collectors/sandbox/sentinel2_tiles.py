"""The tiles of Sentinel-2 and the swaths that cross them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import mgrs
import numpy as np
import shapely

from collectors.sandbox.geometry import LONLAT, Geometry, reproject, utm_epsg, utm_zone
from collectors.sandbox.noise import uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

TILE_M: Final = 109_800.0
"""Side of a tile, metres: 10,980 pixels of 10 m."""

SQUARE_M: Final = 100_000
"""Side of an MGRS square, metres; a tile starts at its north-western corner."""

_SNAP_M: Final = 60
_REVISIT_DAYS: Final = 5
_NEIGHBOUR_REACH_M: Final = 130_000.0
_SOUTH_LIMIT, _NORTH_LIMIT = -56.5, 83.5
_MGRS = mgrs.MGRS()


@dataclass(frozen=True, slots=True)
class Pass:
    """An orbit that sees a tile every five days.

    Attributes:
        number: 0 for the tile's main orbit, 1 for the neighbouring one that touches its edge.
        phase: Days (since 1970, modulo 5) on which it comes.
        orbit: Relative orbit number, 1 to 143.
        footprint: The part of the tile that it sees, in the tile's CRS.
        share: That part's share of the tile, 0 to 1.
    """

    number: int
    phase: int
    orbit: int
    footprint: Geometry
    share: float


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile.

    Attributes:
        name: MGRS name such as "10SEG".
        zone: UTM zone.
        column: MGRS square's column, easting in units of 100 km.
        row: MGRS square's row, northing in units of 100 km.
        crs: "EPSG:326zz" or "EPSG:327zz".
        west: Easting of the outer edge of the first column, metres.
        north: Northing of the outer edge of the first row, metres.
        lon: Longitude of the square's centre, degrees.
        lat: Latitude of the square's centre, degrees.
    """

    name: str
    zone: int
    column: int
    row: int
    crs: str
    west: float
    north: float
    lon: float
    lat: float


def tile_corner(column: int, row: int) -> tuple[float, float]:
    """Return (west, north) of a square's tile: snapped outwards to 60 m, the coarsest pixel."""
    west = math.floor(column * SQUARE_M / _SNAP_M) * _SNAP_M
    north = math.ceil((row + 1) * SQUARE_M / _SNAP_M) * _SNAP_M
    return float(west), float(north)


@lru_cache(maxsize=20_000)
def tile_at(zone: int, column: int, row: int, *, northern: bool) -> Tile | None:
    """Return the tile of an MGRS square, or None where the zone has no such square."""
    crs = f"EPSG:{utm_epsg(zone, north=northern)}"
    steps = np.array([1.0, 50_000.0, 99_999.0])
    east, north = np.meshgrid(column * SQUARE_M + steps, row * SQUARE_M + steps)
    lon, lat = reproject(east, north, crs, LONLAT)
    centre_lon, centre_lat = float(lon[1, 1]), float(lat[1, 1])
    if not _SOUTH_LIMIT < centre_lat < _NORTH_LIMIT or (centre_lat >= 0.0) != northern:
        return None
    own = [
        (abs(x - centre_lon) + abs(y - centre_lat), float(a), float(b))
        for x, y, a, b in zip(
            lon.ravel().tolist(), lat.ravel().tolist(), east.ravel(), north.ravel(), strict=True
        )
        if utm_zone(x, y) == zone
    ]
    if not own:
        return None
    # The library renames a point that lies in the neighbouring zone, so a point of this zone
    # gives the name: the one nearest to the centre.
    _, name_east, name_north = min(own)
    name = _MGRS.UTMToMGRS(zone, "N" if northern else "S", name_east, name_north, MGRSPrecision=0)
    west, top = tile_corner(column, row)
    return Tile(
        name.zfill(5), zone, column, row, crs, west, top, round(centre_lon, 6), round(centre_lat, 6)
    )


def square_named(name: str) -> tuple[int, int, int, bool] | None:
    """Return (zone, column, row, northern) of an MGRS square such as "10SEG", or None."""
    try:
        zone, hemisphere, easting, northing = _MGRS.MGRSToUTM(name)
    except mgrs.core.MGRSError:
        return None
    column, row = math.floor(easting / SQUARE_M), math.floor(northing / SQUARE_M)
    return zone, column, row, hemisphere == "N"


def tile_named(name: str) -> Tile | None:
    """Return the tile of a name such as "10SEG", or None if there is none."""
    square = square_named(name)
    if square is None:
        return None
    zone, column, row, northern = square
    tile = tile_at(zone, column, row, northern=northern)
    return tile if tile is not None and tile.name == name else None


def tiles_near(region: Geometry) -> Iterator[Tile]:
    """Yield every tile that may touch a region (and a few that do not)."""
    west, south, east, north = region.lonlat_bounds()
    for northern in (True, False):
        if (northern and north < -1.0) or (not northern and south > 1.0):
            continue
        for zone in _zones_near(west, east, south, north):
            crs = f"EPSG:{utm_epsg(zone, north=northern)}"
            x_min, y_min, x_max, y_max = region.shape_in(crs).bounds
            if not all(map(math.isfinite, (x_min, y_min, x_max, y_max))):
                continue
            columns = range(
                max(1, math.floor((x_min - TILE_M) / SQUARE_M)),
                min(8, math.floor(x_max / SQUARE_M) + 1) + 1,
            )
            rows = range(
                max(0, math.floor(y_min / SQUARE_M) - 1),
                math.floor((y_max + TILE_M - SQUARE_M) / SQUARE_M) + 1,
            )
            for column in columns:
                for row in rows:
                    tile = tile_at(zone, column, row, northern=northern)
                    if tile is not None and _overlaps(tile, x_min, y_min, x_max, y_max):
                        yield tile


def _overlaps(tile: Tile, x_min: float, y_min: float, x_max: float, y_max: float) -> bool:
    return (
        x_min <= tile.west + TILE_M
        and x_max >= tile.west
        and y_min <= tile.north
        and y_max >= tile.north - TILE_M
    )


def _zones_near(west: float, east: float, south: float, north: float) -> list[int]:
    """Return the zones whose tiles may reach into a box of degrees."""
    latitude = min(max(abs(south), abs(north)), 84.0)
    reach = math.degrees(_NEIGHBOUR_REACH_M / (6_378_137.0 * math.cos(math.radians(latitude))))
    # Near Norway and Svalbard the zones are up to 12 degrees wide.
    if latitude >= 56.0 and east > -12.0 and west < 54.0:
        reach += 6.0
    first = math.floor((west - reach + 180.0) / 6.0)
    last = math.floor((east + reach + 180.0) / 6.0)
    return sorted({zone % 60 + 1 for zone in range(first, min(last, first + 59) + 1)})


@lru_cache(maxsize=4096)
def passes_over(tile: Tile, seed: int) -> tuple[Pass, ...]:
    """Return the orbits that see a tile.

    Three tiles in four lie wholly in their main swath; the others are cut by its edge, and half
    of all tiles are also touched by the neighbouring swath, some by no more than a sliver.
    """
    place = (seed, tile.zone, tile.column)
    cut = uniform(*place, tile.row, 1) < 0.25
    eastern = uniform(*place, tile.row, 2) < 0.5
    phase = int(uniform(*place, 3) * _REVISIT_DAYS)
    orbit = 1 + int(uniform(*place, 4) * 143)
    main = _swath(tile, 0.72 + 0.23 * uniform(*place, tile.row, 5) if cut else 1.0, eastern=eastern)
    found = [_make_pass(0, phase, orbit, main, tile)]
    if cut or uniform(*place, tile.row, 6) < 0.4:
        sliver = not cut and uniform(*place, tile.row, 7) < 0.5
        width = uniform(*place, tile.row, 8)
        share = 0.02 + 0.06 * width if sliver else 0.3 + 0.3 * width
        side = _swath(tile, share, eastern=not eastern)
        later = (phase + 2 + int(uniform(*place, 9) * 2)) % _REVISIT_DAYS
        found.append(_make_pass(1, later, orbit % 143 + 1, side, tile))
    return tuple(found)


def _make_pass(number: int, phase: int, orbit: int, shape: BaseGeometry, tile: Tile) -> Pass:
    return Pass(number, phase, orbit, Geometry(shape, tile.crs), shape.area / TILE_M**2)


def _swath(tile: Tile, share: float, *, eastern: bool) -> BaseGeometry:
    """Return the part of a tile on one side of a swath's slanting edge."""
    south, east = tile.north - TILE_M, tile.west + TILE_M
    if share >= 1.0:
        return shapely.box(tile.west, south, east, tile.north)
    # The ground track leans by about 12 degrees from the meridian at middle latitudes.
    lean = 0.2 * TILE_M
    middle = tile.west + (1.0 - share if eastern else share) * TILE_M
    outer = east + 2.0 * TILE_M if eastern else tile.west - 2.0 * TILE_M
    side = shapely.Polygon(
        [
            (middle + lean, tile.north + TILE_M / 2),
            (outer, tile.north + TILE_M / 2),
            (outer, south - TILE_M / 2),
            (middle - lean, south - TILE_M / 2),
        ]
    )
    return shapely.box(tile.west, south, east, tile.north).intersection(side)
