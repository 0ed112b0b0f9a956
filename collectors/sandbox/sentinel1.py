"""Made-up Sentinel-1 scenes: ascending and descending swaths, each seen every twelve days."""

from __future__ import annotations

import datetime as dt
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.geometry import LONLAT, Geometry, reproject, utm_epsg, utm_zone
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import BANDS, DAY_MS, Band, Scene, Sensor, TooManyScenesError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _day(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal() - dt.date(1970, 1, 1).toordinal()


FIRST_DAY: Final = _day("2014-10-03")
"""First day (since 1970) of the collection, by the Earth Engine catalogue."""

LAST_DAY: Final = _day("2026-10-31")
"""Last day (since 1970) of the made-up archive."""

REVISIT_DAYS: Final = 12
"""Days after which a satellite comes over the same ground again."""

SECOND_SATELLITE: Final = (_day("2016-04-25"), _day("2021-12-23"))
"""While Sentinel-1B was at work, six days after Sentinel-1A."""

MISSED_SHARE: Final = 0.08
"""Share of the overpasses without a scene."""

SINGLE_SHARE: Final = 0.05
"""Share of the scenes with VV alone."""

SWATH_M: Final = 250_000.0
"""Width of a swath (Interferometric Wide)."""

LEAN: Final = 0.2
"""How far a swath leans from the meridian: metres aside for a metre north."""

_BAND_DEGREES: Final = 1.6
_HALF_HEIGHT_M: Final = 95_000.0
_SPACING_M: Final = 200_000.0
_DEGREE_M: Final = 111_320.0
_BANDS_BELOW: Final = 56
_MAX_FRAMES: Final = 400
_LATITUDE_LIMIT: Final = 80.0
_PASSES: Final = ("ASCENDING", "DESCENDING")
_LOCAL_TIME_H: Final = {"ASCENDING": 18.0, "DESCENDING": 6.0}
_SCENE_MS: Final = 25_000
_SCRAMBLE: Final = 40_503
"""Odd, so that what it multiplies, modulo 2 to the 16th, can be had back."""

SINGLE: Final = tuple(band for band in BANDS[Sensor.S1_GRD] if band.name != "VH")
"""Bands of a scene with one polarisation."""


class Sentinel1Scenes:
    """The made-up archive of Sentinel-1.

    Args:
        seed: Which archive.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "sentinel-1")
        self._made: dict[tuple[int, int, int, int], Scene | None] = {}

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes of the frames near a region; see `SceneSource.search`."""
        del sensor
        if region is None:
            message = "A search of Sentinel-1 needs a place."
            raise TooManyScenesError(message)
        first = FIRST_DAY if start_ms == -math.inf else max(FIRST_DAY, int(start_ms // DAY_MS))
        last = LAST_DAY if end_ms == math.inf else min(LAST_DAY, int(end_ms // DAY_MS))
        found: list[Scene] = []
        for row, column, number in list(_frames_near(region)):
            footprint = frame_footprint(row, column, number)
            if not shapely.intersects(region.shape_in(footprint.crs), footprint.shape):
                continue
            phase = hash_keys(self._seed, row, column, number) % 6
            for day in range(first + (phase - first) % 6, last + 1, 6):
                scene = self._scene(row, column, number, day)
                if scene is not None and start_ms <= scene.time_ms < end_ms:
                    found.append(scene)
        return found

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of a name such as S1A_IW_GRDH_1SDV_20200103T140910_…_3F8D."""
        del sensor
        parts = index.split("_")
        try:
            moment, code = parts[4], int(parts[8], 16) * pow(_SCRAMBLE, -1, 1 << 16) % (1 << 16)
            day = _day(f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}")
        except (IndexError, ValueError):
            return None
        row, column, number = code >> 9, code >> 1 & 0xFF, code & 1
        if not 0 <= row < 2 * _BANDS_BELOW or column >= _columns(row):
            return None
        scene = self._scene(row, column, number, day)
        return scene if scene is not None and scene.index == index else None

    def _scene(self, row: int, column: int, number: int, day: int) -> Scene | None:
        """Return what a frame's overpass of a day (since 1970) gave, or None."""
        key = (row, column, number, day)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(self, row: int, column: int, number: int, day: int) -> Scene | None:
        place = hash_keys(self._seed, row, column, number)
        late = (day - place % 6) // 6 % 2 == 1
        if not FIRST_DAY <= day <= LAST_DAY or (day - place % 6) % 6:
            return None
        if late and not SECOND_SATELLITE[0] <= day <= SECOND_SATELLITE[1]:
            return None
        taken = hash_keys(place, day)
        if uniform(taken, 1) < MISSED_SHARE:
            return None
        single = uniform(taken, 2) < SINGLE_SHARE
        return _make_scene(row, column, number, day, "B" if late else "A", taken, single=single)


def _columns(row: int) -> int:
    """Return how many frames there are around the Earth in a band of latitude."""
    width = _DEGREE_M * math.cos(math.radians(_latitude(row)))
    return max(3, round(360.0 * width / _SPACING_M))


def _latitude(row: int) -> float:
    """Return the latitude of the middle of a band of frames, degrees."""
    return (row - _BANDS_BELOW + 0.5) * _BAND_DEGREES


def _frames_near(region: Geometry) -> Iterator[tuple[int, int, int]]:
    """Yield (row, column, pass) of every frame that may touch a region, and of a few others."""
    west, south, east, north = region.lonlat_bounds()
    given = 0
    low, high = max(south, -_LATITUDE_LIMIT), min(north, _LATITUDE_LIMIT)
    for row in range(*(math.floor(lat / _BAND_DEGREES) + _BANDS_BELOW for lat in
                       (low - 0.3, high + 0.3 + _BAND_DEGREES))):  # fmt: skip
        spacing = 360.0 / _columns(row)
        reach = 0.9 * spacing  # half a swath and its lean are 0.72 of a spacing
        for number in (0, 1):
            shift = spacing * number / 2
            first = math.ceil((west + 180.0 - shift - reach) / spacing - 0.5)
            last = math.floor((east + 180.0 - shift + reach) / spacing - 0.5)
            for column in range(first, min(last, first + _columns(row) - 1) + 1):
                given += 1
                if given > _MAX_FRAMES:
                    message = "The region holds too many frames."
                    raise TooManyScenesError(message)
                yield row, column % _columns(row), number


@lru_cache(maxsize=20_000)
def frame_footprint(row: int, column: int, number: int) -> Geometry:
    """Return the ground of a frame, in the UTM zone of its middle.

    Args:
        row: Band of latitude.
        column: Number of the frame around the Earth.
        number: 0 for ascending, 1 for descending orbits.
    """
    spacing = 360.0 / _columns(row)
    lon = (column + 0.5 + number / 2) * spacing % 360.0 - 180.0
    lat = _latitude(row)
    crs = f"EPSG:{utm_epsg(utm_zone(lon, lat), north=lat >= 0.0)}"
    x, y = (float(one[0]) for one in reproject(np.array([lon]), np.array([lat]), LONLAT, crs))
    # Northward the satellite moves to the west, southward as well: ascending swaths lean left.
    aside = (-LEAN if number == 0 else LEAN) * _HALF_HEIGHT_M
    half = SWATH_M / 2
    corners = [
        (x - half + aside, y + _HALF_HEIGHT_M), (x + half + aside, y + _HALF_HEIGHT_M),
        (x + half - aside, y - _HALF_HEIGHT_M), (x - half - aside, y - _HALF_HEIGHT_M),
    ]  # fmt: skip
    return Geometry(shapely.Polygon(corners), crs)


def _make_scene(
    row: int, column: int, number: int, day: int, letter: str, taken: int, *, single: bool
) -> Scene:
    footprint = frame_footprint(row, column, number)
    direction = _PASSES[number]
    lon = (column + 0.5 + number / 2) * 360.0 / _columns(row) % 360.0 - 180.0
    hours = (_LOCAL_TIME_H[direction] - lon / 15.0 + 0.1 * uniform(taken, 3)) % 23.9
    time_ms = day * DAY_MS + int(hours * 3_600_000)
    orbit = (day - FIRST_DAY) * 175 // REVISIT_DAYS + 2_660 + int(uniform(taken, 4) * 14)
    code = (row << 9 | column << 1 | number) * _SCRAMBLE % (1 << 16)
    index = (
        f"S1{letter}_IW_GRDH_1S{'SV' if single else 'DV'}_{_stamp(time_ms)}"
        f"_{_stamp(time_ms + _SCENE_MS)}_{orbit:06d}_{orbit * 7 + 9_000:06X}_{code:04X}"
    )
    # Terrain correction begins each raster where its scene begins: no lattice is shared.
    west, south, east, north = footprint.shape.bounds
    west -= 10.0 * (1.0 + uniform(taken, 5))
    north += 10.0 * (1.0 + uniform(taken, 6))
    columns, rows = (math.ceil(length / 10.0) for length in (east - west, north - south))
    bands: tuple[Band, ...] = SINGLE if single else BANDS[Sensor.S1_GRD]
    return Scene(
        sensor=Sensor.S1_GRD,
        index=index,
        time_ms=time_ms,
        crs=footprint.crs,
        west=west,
        north=north,
        gsd=10.0,
        columns=columns,
        rows=rows,
        footprint=footprint,
        bands=bands,
        properties={
            "system:index": index,
            "system:time_start": time_ms,
            "system:time_end": time_ms + _SCENE_MS,
            "system:footprint": footprint,
            "system:asset_size": columns * rows * 4 * len(bands),
            "familyName": "SENTINEL-1",
            "platform_number": letter,
            "instrument": "Synthetic Aperture Radar",
            "instrumentMode": "IW",
            "orbitProperties_pass": direction,
            "orbitNumber_start": float(orbit),
            "relativeOrbitNumber_start": float(1 + hash_keys(row, column, number) % 175),
            "transmitterReceiverPolarisation": ["VV"] if single else ["VV", "VH"],
            "resolution": "H",
            "resolution_meters": 10.0,
            "productType": "GRD",
            "productClass": "S",
        },
        cloud_percent=0.0,
        seed=taken,
    )


def _stamp(time_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ms / 1_000, tz=dt.UTC)
    return moment.strftime("%Y%m%dT%H%M%S")
