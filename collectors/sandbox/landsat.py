"""Made-up scenes of Landsat 8 and 9, on the real grid of paths and rows and the real days.

The grid is the Worldwide Reference System 2: 233 paths of 248 rows, which a satellite flies in 16
days; Landsat 9 follows 8 days behind Landsat 8. All scenes are in a northern UTM zone, south of the
equator too, and the centres of their pixels lie on multiples of 30 m.
Source: Landsat 8 Data Users Handbook (LSDS-1574), sections 1 and 2, and USGS's page on negative
UTM values of southern scenes.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.geometry import LONLAT, Geometry, reproject, utm_zone
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import BANDS, DAY_MS, Scene, Sensor, TooManyScenesError
from collectors.sandbox.sentinel2 import LAST_DAY, draw_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIXEL_M: Final = 30.0
PATHS: Final = 233
REVISIT_DAYS: Final = 16

FIRST_DAY: Final = {
    sensor: (dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days
    for sensor, day in (
        (Sensor.LANDSAT_8, "2013-03-18"), (Sensor.LANDSAT_9, "2021-10-31"),
    )
}  # fmt: skip
"""First day (since 1970) of each collection, by the Earth Engine catalogue."""

UNKNOWN_CLOUD_SHARE: Final = 0.005
"""Share of the scenes whose CLOUD_COVER is -1, "not calculated"."""

NO_SCENE_SHARE: Final = 0.05
"""Share of the overpasses without a scene of Tier 1."""

NO_TEMPERATURE_SHARE: Final = 0.02
"""Share of the scenes that are L2SR: ST_B10 is masked everywhere."""

_ROW_DEGREES: Final = 360.0 / 248.0
_PATH_DEGREES: Final = 360.0 / PATHS
_EQUATOR_ROW: Final = 60
_FIRST_NODE: Final = -64.6
_TILT: Final = math.radians(180.0 - 98.2)
_FLATNESS: Final = 1.0 - 0.00669438
"""1 - e² of WGS 84, by which the latitude of a map differs from that seen from the centre."""

_TURN_DEGREES: Final = 360.0 * REVISIT_DAYS / PATHS
"""How far the Earth turns under the orbit during one revolution."""

_NODE_MS: Final = {Sensor.LANDSAT_8: 0, Sensor.LANDSAT_9: 8 * DAY_MS}
_PATH_44_MS: Final = (16_147 * 86_400 + 18 * 3_600 + 56 * 60) * 1_000
"""When Landsat 8 crossed the equator on path 44, on 2014-03-18."""

_ORBITS_TO_NEXT_PATH: Final = 102
"""16 paths lie between one orbit and the next: 102 × 16 = 7 × 233 + 1."""

_HALF_ACROSS_M, _HALF_ALONG_M = 92_500.0, 90_000.0
_SOUTH_LIMIT, _NORTH_LIMIT = -58.0, 80.0
_MAX_PLACES: Final = 400


@dataclass(frozen=True, slots=True)
class Place:
    """A scene's place in the grid of paths and rows.

    Attributes:
        path: 1 to 233.
        row: 1 to 248; those of the descending, sunlit half are used.
        crs: "EPSG:326zz", also in the south.
        west: Easting of the outer edge of the first column, metres.
        north: Northing of the outer edge of the first row, metres.
        columns: Width in pixels.
        rows: Height in pixels.
        footprint: The part of the raster that is seen.
    """

    path: int
    row: int
    crs: str
    west: float
    north: float
    columns: int
    rows: int
    footprint: Geometry


def centre(path: int, row: float) -> tuple[float, float]:
    """Return (longitude, latitude) in degrees of a scene's centre; between rows, too."""
    angle = math.radians((row - _EQUATOR_ROW) * _ROW_DEGREES)
    from_centre = -math.asin(math.sin(_TILT) * math.sin(angle))  # of the Earth
    lat = math.degrees(math.atan(math.tan(from_centre) / _FLATNESS))
    along = math.degrees(math.atan2(math.cos(_TILT) * math.sin(angle), math.cos(angle)))
    lon = _FIRST_NODE - (path - 1) * _PATH_DEGREES - along
    lon -= _TURN_DEGREES * math.degrees(angle) / 360.0
    return (lon + 180.0) % 360.0 - 180.0, lat


@lru_cache(maxsize=20_000)
def place_at(path: int, row: int) -> Place | None:
    """Return a place of the grid, or None where the sandbox has no scenes."""
    if not (1 <= path <= PATHS and 1 <= row <= 2 * _EQUATOR_ROW):
        return None
    lon, lat = centre(path, row)
    if not _SOUTH_LIMIT < lat < _NORTH_LIMIT:
        return None
    zone = utm_zone(lon, lat)
    crs = f"EPSG:{32600 + zone}"
    ends = np.array([centre(path, row - 0.5), (lon, lat), centre(path, row + 0.5)])
    x, y = reproject(ends[:, 0], ends[:, 1], LONLAT, crs)
    track = np.array([x[2] - x[0], y[2] - y[0]])
    along = track / np.hypot(*track)
    across = np.array([-along[1], along[0]])
    middle = np.array([x[1], y[1]])
    corners = [
        middle + i * _HALF_ACROSS_M * across + j * _HALF_ALONG_M * along
        for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    seen = shapely.Polygon(corners)
    low_x, low_y, high_x, high_y = seen.bounds
    west, north = _edge(low_x, math.floor), _edge(high_y, math.ceil)
    return Place(
        path, row, crs, west, north,
        columns=math.ceil((high_x - west) / PIXEL_M), rows=math.ceil((north - low_y) / PIXEL_M),
        footprint=Geometry(seen, crs),
    )  # fmt: skip


def _edge(metres: float, outwards: Callable[[float], int]) -> float:
    """Return the outer edge of a pixel whose centre is on a multiple of 30 m."""
    half = PIXEL_M / 2
    return float(outwards((metres - half) / PIXEL_M) * PIXEL_M + half)


def places_near(region: Geometry) -> Iterator[Place]:
    """Yield the places whose scenes may touch a region."""
    west, south, east, north = region.lonlat_bounds()
    for row in range(1, 2 * _EQUATOR_ROW + 1):
        first, lat = centre(1, row)
        if not max(south - 2.0, _SOUTH_LIMIT) < lat < min(north + 2.0, _NORTH_LIMIT):
            continue
        reach = 2.0 / math.cos(math.radians(min(abs(lat) + 1.0, 84.0)))
        # A path further west has a higher number.
        start = math.ceil((first - (east + reach)) / _PATH_DEGREES)
        end = math.floor((first - (west - reach)) / _PATH_DEGREES)
        for step in range(start, min(end, start + PATHS - 1) + 1):
            place = place_at(step % PATHS + 1, row)
            if place is not None:
                yield place


class LandsatScenes:
    """The made-up archive of both satellites.

    Args:
        seed: Which archive.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "landsat")

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes of the places near a region; see `SceneSource.search`."""
        if region is None:
            message = "A search of Landsat needs a place."
            raise TooManyScenesError(message)
        found: list[Scene] = []
        for number, place in enumerate(places_near(region)):
            if number >= _MAX_PLACES:
                message = "The region holds too many scenes."
                raise TooManyScenesError(message)
            shape = region.shape_in(place.crs)
            if shapely.intersects(shape, place.footprint.shape):
                found += self._scenes(sensor, place, start_ms, end_ms)
        return found

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of a name such as LC08_044034_20200803."""
        parts = index.split("_")
        if len(parts) != 3 or len(parts[1]) != 6 or not parts[1].isdigit():
            return None
        try:
            day = dt.datetime.strptime(parts[2], "%Y%m%d").replace(tzinfo=dt.UTC).timestamp()
        except ValueError:
            return None
        place = place_at(int(parts[1][:3]), int(parts[1][3:]))
        if place is None:
            return None
        start = day * 1_000
        scenes = self._scenes(sensor, place, start, start + DAY_MS)
        return next((scene for scene in scenes if scene.index == index), None)

    def _scenes(
        self, sensor: Sensor, place: Place, start_ms: float, end_ms: float
    ) -> Iterator[Scene]:
        start = max(start_ms, FIRST_DAY[sensor] * DAY_MS)
        end = min(end_ms, (LAST_DAY + 1) * DAY_MS)
        time_ms = overpass_ms(sensor, place.path, place.row)
        cycle = REVISIT_DAYS * DAY_MS
        time_ms += math.ceil((start - time_ms) / cycle) * cycle if start > float("-inf") else 0
        while time_ms < end:
            scene = _scene(self._seed, sensor, place, time_ms)
            if scene is not None:
                yield scene
            time_ms += cycle


def overpass_ms(sensor: Sensor, path: int, row: int) -> int:
    """Return one of the times, since 1970, when a satellite passes over a place."""
    orbits = (path - 44) * _ORBITS_TO_NEXT_PATH % PATHS + (row - _EQUATOR_ROW) / 248.0
    return _PATH_44_MS + _NODE_MS[sensor] + round(orbits * REVISIT_DAYS / PATHS * DAY_MS)


@lru_cache(maxsize=100_000)
def _scene(seed: int, sensor: Sensor, place: Place, time_ms: int) -> Scene | None:
    chance = hash_keys(seed, str(sensor), place.path, place.row, time_ms // DAY_MS)
    if uniform(chance, 3) < NO_SCENE_SHARE:
        return None
    prefix, satellite = ("LC08", 8) if sensor is Sensor.LANDSAT_8 else ("LC09", 9)
    cloud = round(draw_cloud(chance, 1.0), 2)
    day = dt.datetime.fromtimestamp(time_ms / 1_000, tz=dt.UTC)
    made_ms = time_ms + int(DAY_MS * (12 + 8 * uniform(chance, 7)))
    made = dt.datetime.fromtimestamp(made_ms / 1_000, tz=dt.UTC)
    spot = f"{place.path:03d}{place.row:03d}"
    index = f"{prefix}_{spot}_{day:%Y%m%d}"
    level = "L2SR" if uniform(chance, 8) < NO_TEMPERATURE_SHARE else "L2SP"
    product = f"{prefix}_{level}_{spot}_{day:%Y%m%d}_{made:%Y%m%d}_02_T1"
    properties: dict[str, object] = {
        "system:index": index,
        "system:time_start": time_ms,
        "system:time_end": time_ms,
        "system:footprint": place.footprint,
        "system:asset_size": int(1e9),
        "CLOUD_COVER": -1.0 if uniform(chance, 9) < UNKNOWN_CLOUD_SHARE else cloud,
        "CLOUD_COVER_LAND": cloud,
        "COLLECTION_CATEGORY": "T1",
        "DATE_PRODUCT_GENERATED": float(made_ms),
        "L1_PROCESSING_LEVEL": "L1TP",
        "LANDSAT_PRODUCT_ID": product,
        "PROCESSING_LEVEL": level,
        "PROCESSING_SOFTWARE_VERSION": "LPGS_15.5.0" if day.year < 2022 else "LPGS_16.2.0",
        "SENSOR_ID": "OLI_TIRS",
        "SPACECRAFT_ID": f"LANDSAT_{satellite}",
        "WRS_PATH": place.path,
        "WRS_ROW": place.row,
    }
    return Scene(
        sensor=sensor, index=index, time_ms=time_ms, crs=place.crs, west=place.west,
        north=place.north, gsd=PIXEL_M, columns=place.columns, rows=place.rows,
        footprint=place.footprint, bands=BANDS[sensor], properties=properties,
        cloud_percent=cloud, seed=chance,
    )  # fmt: skip
