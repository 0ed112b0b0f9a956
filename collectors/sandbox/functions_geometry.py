"""Earth Engine's functions on geometries and projections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.geometry import (
    LONLAT,
    Geometry,
    Projection,
    UnknownCrsError,
    is_geographic,
    unbroken,
    utm_epsg,
    utm_zone,
    working_crs,
)
from collectors.sandbox.registry import function
from collectors.sandbox.values import ErrorMargin

if TYPE_CHECKING:
    from collections.abc import Callable

    from shapely.geometry.base import BaseGeometry


_HALF_AROUND_M: Final = 2.0e7
"""Half the circumference of the Earth, metres."""

_AFFINE: Final = (
    ("elt_0_0", 1.0),
    ("elt_0_1", 0.0),
    ("elt_0_2", 0.0),
    ("elt_1_0", 0.0),
    ("elt_1_1", 1.0),
    ("elt_1_2", 0.0),
)


@function("Projection")
def _projection(crs: object, transform: list[float] | None, wkt: str | None) -> Projection:
    if wkt is not None or not isinstance(crs, str):
        what = "Projection but of a CRS code with a transform list"
        raise not_implemented(what)
    _check_crs(crs)
    if transform is None:
        return Projection(crs)
    if len(transform) != 6:
        message = "Projection: The transform must have 6 numbers."
        raise EarthEngineError(message)
    a, b, c, d, e, f = (float(number) for number in transform)
    return Projection(crs, (a, b, c, d, e, f))


@function("Projection.crs")
def _projection_crs(projection: Projection) -> str:
    return projection.crs


@function("Projection.nominalScale")
def _nominal_scale(projection: Projection) -> float:
    return projection.nominal_scale()


@function("Projection.transform")
def _projection_transform(projection: Projection) -> str:
    """Return the transform as WKT 1 writes it: what equals the identity is left out."""
    lines = ['PARAM_MT["Affine"', 'PARAMETER["num_row", 3]', 'PARAMETER["num_col", 3]']
    for (name, identity), value in zip(_AFFINE, projection.transform, strict=True):
        if value != identity:
            lines.append(f'PARAMETER["{name}", {float(value)!r}]')
    return ", \n  ".join(lines) + "]"


@function("ErrorMargin")
def _error_margin(value: float | None, unit: str) -> ErrorMargin:
    return ErrorMargin(0.0 if value is None else value, unit)


def _check_crs(crs: str) -> None:
    try:
        working_crs(crs)
    except UnknownCrsError:
        message = f"Projection: The CRS of a map projection could not be parsed: '{crs}'."
        raise EarthEngineError(message) from None


def _make(build: Callable[[], BaseGeometry], crs: Projection | None, geodesic: object) -> Geometry:
    code = LONLAT if crs is None else crs.crs
    _check_crs(code)
    try:
        shape = build()
    except (TypeError, ValueError, IndexError, shapely.errors.ShapelyError):
        message = "GeometryConstructors: Invalid coordinates."
        raise EarthEngineError(message) from None
    if is_geographic(code):
        shape = unbroken(shape)
    return Geometry(
        shape, code, geodesic=is_geographic(code) if geodesic is None else bool(geodesic)
    )


def _numbers(coordinates: list[Any]) -> list[float]:
    """Return a flat list of numbers from points however nested."""
    flat: list[float] = []
    for item in coordinates:
        flat.extend(_numbers(item) if isinstance(item, list) else [float(item)])
    return flat


@function("GeometryConstructors.Point")
def _point(coordinates: list[Any], crs: Projection | None) -> Geometry:
    return _make(lambda: shapely.Point(*_numbers(coordinates)), crs, None)


@function("GeometryConstructors.Rectangle")
def _rectangle(
    coordinates: list[Any],
    crs: Projection | None,
    geodesic: object,
    _even_odd: object,
) -> Geometry:
    def build() -> BaseGeometry:
        x1, y1, x2, y2 = _numbers(coordinates)
        if crs is None and x1 > x2:
            x2 += 360.0
        return shapely.box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))

    return _make(build, crs, geodesic)


@function("GeometryConstructors.Polygon")
def _polygon(
    coordinates: list[Any],
    crs: Projection | None,
    geodesic: object,
    _margin: object,
    _even_odd: object,
) -> Geometry:
    def build() -> BaseGeometry:
        rings = coordinates
        if coordinates and not isinstance(coordinates[0][0], list):
            rings = [coordinates]
        return shapely.Polygon(rings[0], rings[1:])

    return _make(build, crs, geodesic)


@function("GeometryConstructors.BBox")
def _bbox(west: float, south: float, east: float, north: float) -> Geometry:
    east = east + 360.0 if east < west else east
    return _make(lambda: shapely.box(west, south, east, north), None, False)


@function("Geometry.bounds")
def _bounds(geometry: Geometry, _margin: object, projection: Projection | None) -> Geometry:
    # Without a projection the box is in degrees, as in the service.
    crs = LONLAT if projection is None else projection.crs
    return Geometry(shapely.box(*geometry.shape_in(crs).bounds), crs, geodesic=False)


@function("Geometry.buffer")
def _buffer(
    geometry: Geometry,
    distance: float,
    _margin: object,
    projection: Projection | None,
) -> Geometry:
    if projection is not None:
        what = "Geometry.buffer in a projection"
        raise not_implemented(what)
    if abs(distance) > _HALF_AROUND_M:
        message = f"Geometry.buffer: the distance {distance:g} m leads around the Earth."
        raise EarthEngineError(message)
    place = geometry.shape_in(LONLAT).centroid
    crs = f"EPSG:{utm_epsg(utm_zone(place.x, place.y), north=place.y >= 0.0)}"
    return Geometry(geometry.shape_in(crs).buffer(distance), crs, geodesic=False)


@function("Geometry.centroid")
def _centroid(geometry: Geometry, _margin: object, projection: Projection | None) -> Geometry:
    crs = geometry.crs if projection is None else projection.crs
    middle = Geometry(geometry.shape_in(crs).centroid, crs)
    return Geometry(middle.shape_in(LONLAT))


@function("Geometry.coordinates")
def _coordinates(geometry: Geometry) -> list[Any]:
    coordinates: list[Any] = geojson(geometry)["coordinates"]
    return coordinates


@function("Geometry.projection")
def _geometry_projection(geometry: Geometry) -> Projection:
    return Projection(geometry.crs)


def geojson(geometry: Geometry) -> dict[str, Any]:
    """Return a geometry as the service states it: GeoJSON, with its CRS where it is not degrees."""
    shape = geometry.shape
    document: dict[str, Any] = _plain(shapely.geometry.mapping(shape))
    if not is_geographic(geometry.crs):
        document["crs"] = {"type": "name", "properties": {"name": geometry.crs}}
    if not isinstance(shape, shapely.Point):
        document["geodesic"] = geometry.geodesic
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        message = "Geometry: a coordinate is not finite."
        raise EarthEngineError(message)
    return value
