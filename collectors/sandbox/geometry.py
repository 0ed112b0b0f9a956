"""Shapes on the Earth with their CRS, and the way between CRSs.

NAD83 and WGS 84 are taken as one: the zones EPSG:269zz are handled as EPSG:326zz, so that no datum
grid is ever looked for. Coordinates are x (longitude or easting) before y.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

LONLAT = "EPSG:4326"

METRES_PER_DEGREE: Final = 111_319.49079327358
"""Length of a degree of the equator of WGS 84."""

_NAD83_UTM = range(26901, 26924)
_NAD83_TO_WGS84 = 32600 - 26900
_CHORDS_PER_SHAPE = 64
_SHORT_EDGE = {True: 0.05, False: 5_000.0}
_STRAIGHT_DEGREES: Final = 0.05
"""Edges so short are left straight: the great circle is less than half a metre away."""

_transformers = threading.local()


class UnknownCrsError(ValueError):
    """A CRS code that PROJ does not know."""


@lru_cache(maxsize=256)
def working_crs(code: str) -> str:
    """Return the code that coordinates are computed in (NAD83 zones become WGS 84 zones).

    Raises:
        UnknownCrsError: PROJ does not know the code.
    """
    authority, _, number = code.partition(":")
    if authority.upper() == "EPSG" and number.isdigit():
        if int(number) in _NAD83_UTM:
            return f"EPSG:{int(number) + _NAD83_TO_WGS84}"
        code = f"EPSG:{number}"
    try:
        pyproj.CRS.from_user_input(code)
    except CRSError as error:
        message = f"The CRS {code!r} is not known: {error}"
        raise UnknownCrsError(message) from None
    return code


@lru_cache(maxsize=256)
def is_geographic(code: str) -> bool:
    """Return whether a CRS counts in degrees."""
    return pyproj.CRS.from_user_input(working_crs(code)).is_geographic


def reproject(
    x: NDArray[np.float64], y: NDArray[np.float64], source: str, target: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coordinates in another CRS; arrays of one shape.

    Raises:
        UnknownCrsError: PROJ does not know one of the codes.
    """
    source, target = working_crs(source), working_crs(target)
    if source == target:
        return x, y
    # A PROJ transformer must not be used by two threads at once.
    cache: dict[tuple[str, str], pyproj.Transformer] | None
    cache = getattr(_transformers, "cache", None)
    if cache is None:
        cache = _transformers.cache = {}
    transformer = cache.get((source, target))
    if transformer is None:
        transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
        cache[source, target] = transformer
    new_x, new_y = transformer.transform(x, y)
    return np.asarray(new_x, dtype=np.float64), np.asarray(new_y, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A shape in a CRS.

    Attributes:
        shape: The shape, x before y. In degrees its rings are unbroken: they may pass 180.
        crs: "EPSG:4326", "EPSG:326zz" and so on.
        geodesic: Whether edges in degrees are great circles, and not straight in degrees.
    """

    shape: BaseGeometry
    crs: str = LONLAT
    geodesic: bool = True
    _moved: dict[str, BaseGeometry] = field(default_factory=dict, repr=False)

    def shape_in(self, crs: str) -> BaseGeometry:
        """Return the shape in another CRS, its edges bent as the change of CRS bends them."""
        target = working_crs(crs)
        if target == working_crs(self.crs):
            return self.shape
        moved = self._moved.get(target)
        if moved is None:
            moved = self._moved[target] = self._move(target)
        return moved

    def _move(self, crs: str) -> BaseGeometry:
        shape = self.shape
        if self.geodesic and is_geographic(self.crs):
            shape = follow_great_circles(shape)
        if shape.length > 0.0:
            longest = max(shape.length / _CHORDS_PER_SHAPE, _SHORT_EDGE[is_geographic(self.crs)])
            shape = shapely.segmentize(shape, longest)

        def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack(reproject(points[:, 0], points[:, 1], self.crs, crs))

        moved = shapely.transform(shape, move)
        return unbroken(moved) if is_geographic(crs) else moved

    def lonlat_bounds(self) -> tuple[float, float, float, float]:
        """Return (west, south, east, north) in degrees; west in [-180, 180), east above it."""
        west, south, east, north = self.shape_in(LONLAT).bounds
        turn = 360.0 * math.floor((west + 180.0) / 360.0)
        return west - turn, south, east - turn, north


@dataclass(frozen=True, slots=True)
class Projection:
    """A CRS with the affine transform of a pixel grid.

    Attributes:
        crs: CRS code.
        transform: (scale x, shear x, translate x, shear y, scale y, translate y).
    """

    crs: str
    transform: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

    def nominal_scale(self) -> float:
        """Return the size of a pixel in metres (in degrees: at the equator)."""
        scale_x, shear_x, _, shear_y, scale_y, _ = self.transform
        size = math.sqrt(abs(scale_x * scale_y - shear_x * shear_y))
        return size * METRES_PER_DEGREE if is_geographic(self.crs) else size


def follow_great_circles(shape: BaseGeometry) -> BaseGeometry:
    """Return a shape in degrees with points added, so that its edges are great circles.

    Latitudes are taken as those of a sphere. Edges of half a turn or more stay as they are.
    """
    if isinstance(shape, shapely.Polygon):
        holes = [_bent(ring) for ring in shape.interiors]
        return shapely.Polygon(_bent(shape.exterior), holes)
    if isinstance(shape, shapely.LinearRing | shapely.LineString):
        return type(shape)(_bent(shape))
    if isinstance(shape, shapely.MultiPolygon | shapely.MultiLineString):
        parts: list[Any] = [follow_great_circles(part) for part in shape.geoms]
        return type(shape)(parts)
    return shape


def _bent(line: BaseGeometry) -> NDArray[np.float64]:
    """Return the points of a line in degrees, with more of them on the great circles between."""
    points = shapely.get_coordinates(line)
    found: list[NDArray[np.float64]] = []
    for start, end in pairwise(points):
        reach = float(np.abs(end - start).max())
        if abs(end[0] - start[0]) >= 180.0 or reach <= _STRAIGHT_DEGREES:
            found.append(start[None])
            continue
        share = np.linspace(0.0, 1.0, math.ceil(reach / _STRAIGHT_DEGREES) + 1)[:-1, None]
        chord = (1.0 - share) * _direction(start) + share * _direction(end)
        lon = np.degrees(np.arctan2(chord[:, 1], chord[:, 0]))
        lat = np.degrees(np.arctan2(chord[:, 2], np.hypot(chord[:, 0], chord[:, 1])))
        straight = start[0] + share[:, 0] * (end[0] - start[0])
        lon += 360.0 * np.round((straight - lon) / 360.0)
        found.append(np.column_stack([lon, lat]))
    return np.concatenate([*found, points[-1:]])


def _direction(place: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = np.radians(place)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def unbroken(shape: BaseGeometry) -> BaseGeometry:
    """Return a shape in degrees whose edges never jump by more than half a turn."""
    x = shapely.get_coordinates(shape)[:, 0]
    if x.size < 2 or float(x.max() - x.min()) <= 180.0:
        return shape

    def follow(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = coordinates.copy()
        reference = moved[0, 0]
        moved[:, 0] -= 360.0 * np.round((moved[:, 0] - reference) / 360.0)
        return moved

    return shapely.transform(shape, follow)


def utm_zone(lon: float, lat: float) -> int:
    """Return the UTM zone of a place by the rules of MGRS (Norway and Svalbard are exceptions)."""
    lon = (lon + 180.0) % 360.0 - 180.0
    if 56.0 <= lat < 64.0 and 3.0 <= lon < 12.0:
        return 32
    if 72.0 <= lat < 84.0 and 0.0 <= lon < 42.0:
        return 31 if lon < 9.0 else 33 if lon < 21.0 else 35 if lon < 33.0 else 37
    return min(60, math.floor((lon + 180.0) / 6.0) + 1)


def utm_epsg(zone: int, *, north: bool) -> int:
    """Return the EPSG number of a WGS 84 UTM zone."""
    return (32600 if north else 32700) + zone
