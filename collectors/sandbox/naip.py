"""Made-up NAIP scenes: quarter quads of the contiguous United States, flown every few years."""

from __future__ import annotations

import datetime as dt
import math
from functools import lru_cache
from typing import Final

import numpy as np
import shapely

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.geometry import LONLAT, Geometry, reproject, utm_zone
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import DAY_MS, Band, Scene, Sensor, TooManyScenesError

QUARTER: Final = 16
"""Quarter quads in a degree: each spans 3.75 minutes."""

BUFFER_M: Final = 300.0
"""Ground that a quarter quad shows beyond its edges, metres (USDA)."""

FIRST_YEAR: Final = 2003
LAST_DATE: Final = dt.date(2023, 11, 17)
"""Newest flight in the public catalogue."""

AERIAL_BANDS: Final = {
    prefix: tuple(Band(name, "uint8") for name in names)
    for prefix, names in (("m", "RGBN"), ("n", "RGB"), ("c", "NRG"))
}
"""Bands by the prefix of the asset id (Earth Engine catalogue)."""

_BLOCK_DEGREES: Final = (5, 4)
_MAX_QUARTERS: Final = 6_000
_FINE_SINCE: Final = 2014
_FINEST_SINCE: Final = 2021
_FOUR_BANDS_SINCE: Final = 2009
_CORNERS: Final = {(0, 0): "sw", (1, 0): "se", (0, 1): "nw", (1, 1): "ne"}

# The contiguous United States, drawn with a broad pen (longitude, latitude).
_OUTLINE: Final = shapely.Polygon(
    [
        (-124.8, 48.5), (-123.0, 48.3), (-122.8, 49.05), (-95.2, 49.05), (-95.1, 49.4),
        (-94.5, 48.8), (-89.5, 48.1), (-84.5, 46.6), (-82.4, 45.4), (-82.3, 43.0),
        (-83.2, 41.9), (-79.0, 42.7), (-79.1, 43.5), (-76.4, 43.7), (-74.9, 45.05),
        (-71.4, 45.1), (-70.2, 46.4), (-69.2, 47.5), (-67.8, 47.1), (-66.9, 44.7),
        (-70.0, 43.4), (-69.9, 41.5), (-74.0, 40.3), (-75.3, 37.5), (-75.3, 35.1),
        (-79.8, 32.5), (-81.2, 31.0), (-79.9, 26.7), (-80.3, 24.9), (-81.9, 24.42),
        (-82.9, 27.8), (-84.2, 29.9), (-89.0, 28.9), (-94.0, 29.4), (-97.0, 27.5),
        (-97.0, 25.8), (-99.2, 26.3), (-101.4, 29.7), (-104.5, 29.5), (-106.6, 31.75),
        (-111.1, 31.3), (-114.8, 32.5), (-117.2, 32.5), (-120.7, 34.4), (-122.1, 36.3),
        (-122.7, 37.6), (-124.0, 39.2), (-124.5, 40.4), (-124.84, 43.0),
    ]
)  # fmt: skip
shapely.prepare(_OUTLINE)


class NaipScenes:
    """The made-up archive of NAIP.

    Args:
        seed: Which archive.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "naip")

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes of the quarter quads near a region; see `SceneSource.search`."""
        del sensor
        if region is None:
            message = "A search of NAIP needs a place."
            raise TooManyScenesError(message)
        west, south, east, north = region.lonlat_bounds()
        # The buffer reaches 300 m beyond the quarter quad, about a hundredth of a degree at most.
        columns = range(
            math.floor((west - 0.01) * QUARTER), math.floor((east + 0.01) * QUARTER) + 1
        )
        rows = range(math.floor((south - 0.01) * QUARTER), math.floor((north + 0.01) * QUARTER) + 1)
        if len(columns) * len(rows) > _MAX_QUARTERS:
            message = "The region holds too many quarter quads."
            raise TooManyScenesError(message)
        return [
            scene
            for column in columns
            for row in rows
            for scene in _flights(self._seed, column, row)
            if start_ms <= scene.time_ms < end_ms
        ]

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of a name such as m_3712213_sw_10_060_20200524."""
        del sensor
        place = _quarter_of(index)
        if place is None:
            return None
        scenes = _flights(self._seed, *place)
        return next((scene for scene in scenes if scene.index == index), None)


def quarter_name(column: int, row: int) -> str:
    """Return a quarter quad's name, such as "3712213_sw".

    Args:
        column: Longitude of its western edge, in sixteenths of a degree.
        row: Latitude of its southern edge, in sixteenths of a degree.
    """
    south, west = row // QUARTER, column // QUARTER
    down = 7 - (row % QUARTER) // 2
    across = (column % QUARTER) // 2
    quad = down * 8 + across + 1
    return f"{south:02d}{-west - 1:03d}{quad:02d}_{_CORNERS[column % 2, row % 2]}"


def _quarter_of(index: str) -> tuple[int, int] | None:
    parts = index.split("_")
    if len(parts) != 6 or len(parts[1]) != 7 or not parts[1].isdigit():
        return None
    offsets = [place for place, corner in _CORNERS.items() if corner == parts[2]]
    quad = int(parts[1][5:]) - 1
    if not offsets or not 0 <= quad < 64:
        return None
    row = int(parts[1][:2]) * QUARTER + (7 - quad // 8) * 2 + offsets[0][1]
    column = -(int(parts[1][2:5]) + 1) * QUARTER + (quad % 8) * 2 + offsets[0][0]
    return column, row


@lru_cache(maxsize=20_000)
def _flights(seed: int, column: int, row: int) -> tuple[Scene, ...]:
    """Return every scene of a quarter quad."""
    lon, lat = (column + 0.5) / QUARTER, (row + 0.5) / QUARTER
    if not shapely.contains_xy(_OUTLINE, lon, lat):
        return ()
    zone = utm_zone(lon, lat)
    crs = f"EPSG:{26900 + zone}"
    edges = np.array([0.0, 0.5, 1.0])
    grid_lon, grid_lat = np.meshgrid((column + edges) / QUARTER, (row + edges) / QUARTER)
    x, y = reproject(grid_lon.ravel(), grid_lat.ravel(), LONLAT, crs)
    box = (
        float(x.min()) - BUFFER_M,
        float(y.min()) - BUFFER_M,
        float(x.max()) + BUFFER_M,
        float(y.max()) + BUFFER_M,
    )
    block = (math.floor(lon) // _BLOCK_DEGREES[0], math.floor(lat) // _BLOCK_DEGREES[1])
    name, place = quarter_name(column, row), hash_keys(seed, column, row)
    return tuple(
        _make_scene(seed, name, block, year, date, crs, box)
        for year, date in _campaigns(seed, *block, column // 4)
        if uniform(place, year) >= 0.03
    )


@lru_cache(maxsize=20_000)
def _campaigns(seed: int, across: int, down: int, strip: int) -> tuple[tuple[int, dt.date], ...]:
    """Return the (year, day) of each flight over a strip, a quarter of a degree wide, of a block.

    A block of a few degrees is flown every two or three years, strip by strip within one growing
    season.
    """
    place = hash_keys(seed, across, down)
    found: list[tuple[int, dt.date]] = []
    year = FIRST_YEAR + int(uniform(place, 1) * 3)
    while year <= LAST_DATE.year:
        day = 135 + int(uniform(place, year, 2) * 90) + int(uniform(place, year, strip) * 40)
        date = dt.date(year, 1, 1) + dt.timedelta(days=day)
        if date <= LAST_DATE:
            found.append((year, date))
        year += 2 + int(uniform(place, year) * 2)
    return tuple(found)


def _make_scene(
    seed: int,
    name: str,
    block: tuple[int, int],
    year: int,
    date: dt.date,
    crs: str,
    box: tuple[float, float, float, float],
) -> Scene:
    gsd, label = 1.0, "1"
    if year >= _FINE_SINCE:
        gsd, label = 0.6, "060"
    if year >= _FINEST_SINCE and uniform(seed, *block, year, 3) < 0.3:
        gsd, label = 0.3, "030"
    prefix, film = "m", uniform(seed, *block, year, 4)
    if year < _FOUR_BANDS_SINCE and film < 0.55:
        prefix = "n" if film < 0.4 else "c"
    zone = int(crs[-2:])
    index = f"{prefix}_{name}_{zone:02d}_{label}_{date:%Y%m%d}"
    # Newer deliveries state the time as 16:00 UTC, older ones as midnight.
    hour = 16 if year > 2019 else 0
    time_ms = (date.toordinal() - dt.date(1970, 1, 1).toordinal()) * DAY_MS + hour * 3_600_000
    west, north = (math.floor(box[0] / gsd) * gsd, math.ceil(box[3] / gsd) * gsd)
    columns, rows = math.ceil((box[2] - west) / gsd), math.ceil((north - box[1]) / gsd)
    raster = shapely.box(west, north - rows * gsd, west + columns * gsd, north)
    return aerial_scene(
        index, time_ms, Geometry(raster, crs, geodesic=False), prefix,
        corner=(west, north), gsd=gsd, shape=(rows, columns), seed=hash_keys(seed, *block, year),
    )  # fmt: skip


def aerial_scene(
    index: str, time_ms: int, footprint: Geometry, prefix: str, *,
    corner: tuple[float, float], gsd: float, shape: tuple[int, int], seed: int,
) -> Scene:  # fmt: skip
    """Return an aerial scene.

    Args:
        index: Name of the asset, without its folder.
        time_ms: Flight, milliseconds since 1970 UTC.
        footprint: What it holds, in its own CRS.
        prefix: Which bands it has, a key of `AERIAL_BANDS`.
        corner: West and north edge of its raster, metres.
        gsd: Size of a pixel, metres.
        shape: Rows and columns of its raster.
        seed: Of its pixels.
    """
    rows, columns = shape
    bands = AERIAL_BANDS[prefix]
    return Scene(
        sensor=Sensor.NAIP,
        index=index,
        time_ms=time_ms,
        crs=footprint.crs,
        west=corner[0],
        north=corner[1],
        gsd=gsd,
        columns=columns,
        rows=rows,
        footprint=footprint,
        bands=bands,
        properties=describe(index, time_ms, footprint, columns * rows * len(bands)),
        cloud_percent=0.0,
        seed=seed,
    )


def describe(index: str, time_ms: int, footprint: Geometry, size: int) -> dict[str, object]:
    """Return the properties that Earth Engine gives an aerial scene of `size` bytes."""
    return {
        "system:index": index,
        "system:time_start": time_ms,
        "system:time_end": time_ms + DAY_MS,
        "system:footprint": footprint,
        "system:asset_size": size,
    }
