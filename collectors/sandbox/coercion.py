"""Brings an argument to the type that a function's signature asks for, as the service does."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import shapely
import shapely.geometry

from collectors.sandbox.bands import ConstantBand
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.geometry import (
    LONLAT,
    Geometry,
    Projection,
    UnknownCrsError,
    unbroken,
    working_crs,
)
from collectors.sandbox.values import (
    Collection,
    ErrorMargin,
    Feature,
    Image,
    Moment,
    MomentRange,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.sandbox.signatures import Parameter

_WRONG = object()


def coerce(function: str, parameter: Parameter, value: object) -> object:
    """Return an argument as its parameter wants it; an omitted one as its default.

    Raises:
        EarthEngineError: A required argument is null, or the type does not fit.
    """
    if value is None:
        if not parameter.optional:
            message = f"{function}: Parameter '{parameter.name}' is required and may not be null."
            raise EarthEngineError(message)
        if parameter.default is None:
            return None
        value = _from_json(parameter.default)
    convert = _CONVERTERS.get(parameter.kind)
    if convert is None:
        return value
    converted = convert(value)
    if converted is _WRONG:
        message = (
            f"{function}, argument '{parameter.name}': Invalid type.\n"
            f"Expected type: {parameter.kind}.\nActual type: {type_name(value)}."
        )
        raise EarthEngineError(message)
    return converted


def coerce_geometry(function: str, value: object) -> Geometry:
    """Return a geometry, taken out of a feature or of GeoJSON.

    Raises:
        EarthEngineError: It is none of these.
    """
    geometry = _geometry(value)
    if not isinstance(geometry, Geometry):
        message = f"{function}: a geometry is wanted, not a {type_name(value)}."
        raise EarthEngineError(message)
    return geometry


def type_name(value: object) -> str:
    """Return what the service calls a value's type."""
    for kind, name in (
        (bool, "Boolean"),
        (int, "Integer"),
        (float, "Float"),
        (str, "String"),
        (list, "List"),
        (dict, "Dictionary"),
        (Moment, "Date"),
        (MomentRange, "DateRange"),
    ):
        if isinstance(value, kind):
            return name
    if isinstance(value, Collection):
        return "ImageCollection" if value.of_images else "FeatureCollection"
    return "Null" if value is None else type(value).__name__


def parse_moment(text: str) -> Moment:
    """Return the moment that an ISO 8601 text states; UTC where it names no zone.

    Raises:
        EarthEngineError: It is not such a text.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        message = f"Date: Bad date/time '{text}'."
        raise EarthEngineError(message) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return Moment(round(moment.timestamp() * 1000.0))


def _from_json(value: Any) -> object:
    match value:
        case {"type": "ErrorMargin"}:
            return ErrorMargin(value.get("value") or 0.0, value.get("unit", "meters"))
        case {"type": "Projection"}:
            return Projection(value["crs"], tuple(value["transform"]))
    return value


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else _WRONG


def _whole(value: object) -> object:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _WRONG


def _moment(value: object) -> object:
    if isinstance(value, str):
        return parse_moment(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Moment(value)
    return value if isinstance(value, Moment) else _WRONG


def _projection(value: object) -> object:
    if not isinstance(value, str):
        return _only(Projection)(value)
    try:
        working_crs(value)
    except UnknownCrsError:
        message = f"Projection: The CRS of a map projection could not be parsed: '{value}'."
        raise EarthEngineError(message) from None
    return Projection(value)


def _margin(value: object) -> object:
    return ErrorMargin(value) if isinstance(value, int | float) else _only(ErrorMargin)(value)


def _geometry(value: object) -> object:
    if isinstance(value, Feature | Image):
        value = value.geometry
    elif isinstance(value, dict):
        # A GeoJSON object, in degrees.
        try:
            shape = shapely.geometry.shape(value)
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
            return _WRONG
        return Geometry(unbroken(shape), LONLAT)
    return value if isinstance(value, Geometry) else _WRONG


def _list(value: object) -> object:
    if isinstance(value, Collection):
        return value.elements()
    return value if isinstance(value, list) else _WRONG


def _dictionary(value: object) -> object:
    if isinstance(value, Feature | Image):
        return dict(value.properties)
    return value if isinstance(value, dict) else _WRONG


def _image(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Image({}, None, computed=(ConstantBand("constant", value),))
    return value if isinstance(value, Image) else _WRONG


def _collection(value: object) -> object:
    if isinstance(value, list) and all(isinstance(item, Feature | Image) for item in value):
        return Collection.of(value)
    return value if isinstance(value, Collection) else _WRONG


def _only(*kinds: type) -> Callable[[object], object]:
    def convert(value: object) -> object:
        return value if isinstance(value, kinds) else _WRONG

    return convert


def _filter(value: object) -> object:
    return value if hasattr(value, "holds") else _WRONG


def _callable(value: object) -> object:
    return value if callable(value) else _WRONG


_CONVERTERS: dict[str, Callable[[object], object]] = {
    "Number": _number,
    "Float": _number,
    "Integer": _whole,
    "Long": _whole,
    "Boolean": _number,
    "String": _only(str),
    "List": _list,
    "Dictionary": _dictionary,
    "Date": _moment,
    "DateRange": _only(MomentRange),
    "Geometry": _geometry,
    "Projection": _projection,
    "ErrorMargin": _margin,
    "Image": _image,
    "Feature": _only(Feature, Image),
    "Element": _only(Feature, Image, Collection),
    "ImageCollection": _collection,
    "FeatureCollection": _collection,
    "Algorithm": _callable,
    "Filter": _filter,
}
