"""Photos all over the Earth, their pixels by this project and by PROJ and MGRS asked directly."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from mgrs import MGRS
from pyproj import Proj

from collectors.geo import ChipGrid, Zone, transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sensors import Sensor


@lru_cache(maxsize=240)
def _utm(zone: int, south: bool, datum: str) -> Proj:
    """Returns a zone's projection by its parameters, without the EPSG registry."""
    ellipsoid = "GRS80" if datum == "nad83" else "WGS84"
    return Proj(proj="utm", zone=zone, south=south, ellps=ellipsoid)


def random_points(
    count: int, west: float, south: float, east: float, north: float, rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Draws points evenly over the ground of a box in degrees, a tenth of them at zone edges."""
    lon = rng.uniform(west, east, count)
    edge = rng.random(count) < 0.1
    lon[edge] = np.clip(np.round(lon[edge] / 6) * 6 + rng.normal(0, 0.01, edge.sum()), west, east)
    lon = np.where(lon >= 180, -180.0, lon)
    low, high = np.sin(np.radians([south, north]))
    return lon.tolist(), np.degrees(np.arcsin(rng.uniform(low, high, count))).tolist()


def pixel_errors(
    lon: list[float], lat: list[float], sensor: Sensor, rng: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Yields, for each photo in a chip of its zone, two errors in pixels.

    The first is that of (row, column) against PROJ, MGRS zones and the affine transform asked
    directly; the second that of the way to longitude and latitude and back.
    """
    zones = MGRS()
    for x_deg, y_deg in zip(lon, lat, strict=True):
        zone = Zone.at(x_deg, y_deg)
        crs = zone.crs(sensor.datum)
        x, y = transformer("EPSG:4326", crs).transform(x_deg, y_deg)
        reach = 0.45 * sensor.area_px * sensor.scale_m
        east, north = rng.uniform(-reach, reach, 2).tolist()
        grid = ChipGrid.around(x + east, y + north, crs, sensor.scale_m, sensor.size_px)
        row, column = grid.locate(x_deg, y_deg)
        number = int(zones.toMGRS(y_deg, x_deg)[:2])
        point = _utm(number, y_deg < 0, sensor.datum.value)(x_deg, y_deg)
        a, b, c, d, e, f = grid.transform
        shifted = np.subtract(point, (c, f))
        expected_column, expected_row = np.linalg.solve([[a, b], [d, e]], shifted)
        again = grid.locate(*grid.point_at(row, column))
        yield (
            max(abs(row - expected_row), abs(column - expected_column)),
            max(abs(row - again[0]), abs(column - again[1])),
        )
