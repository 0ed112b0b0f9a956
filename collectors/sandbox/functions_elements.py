"""Earth Engine's functions on elements, and on one property over a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.registry import IMPLEMENTATIONS, function
from collectors.sandbox.values import Collection, Feature, property_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectors.sandbox.geometry import Geometry
    from collectors.sandbox.values import Element


@function("Element.get")
def _get(element: Element, name: str) -> object:
    return property_of(element, name)


@function("Element.getNumber")
def _get_number(element: Element, name: str) -> object:
    return property_of(element, name)


@function("Element.getString")
def _get_string(element: Element, name: str) -> object:
    return property_of(element, name)


@function("Element.set")
def _set(element: Element, key: str, value: object) -> Element:
    return _with(element, {key: value})


@function("Element.setMulti")
def _set_many(element: Element, properties: dict[str, object]) -> Element:
    return _with(element, properties)


def _with(element: Element, changes: dict[str, object]) -> Element:
    if isinstance(element, Collection):
        what = "properties of a collection"
        raise not_implemented(what)
    properties = {**element.properties, **changes}
    return element.with_properties(
        {key: value for key, value in properties.items() if value is not None}
    )


@function("Element.propertyNames")
def _property_names(element: Element) -> list[str]:
    return [] if isinstance(element, Collection) else [*element.properties, "system:id"]


@function("Element.toDictionary")
def _to_dictionary(element: Element, properties: list[str] | None) -> dict[str, object]:
    if isinstance(element, Collection):
        return {}
    names = [name for name in element.properties if not name.startswith("system:")]
    for name in properties or ():
        if name not in names:
            message = f"Element.toDictionary: Element does not contain the property '{name}'."
            raise EarthEngineError(message)
    return {name: element.properties[name] for name in properties or names}


@function("Feature")
def _feature(geometry: Geometry | None, metadata: dict[str, object], _key: object) -> Feature:
    return Feature(geometry, {k: v for k, v in metadata.items() if v is not None})


@function("Feature.geometry", "Element.geometry", "Image.geometry")
def _geometry(
    element: Element, _margin: object, _projection: object, _geodesics: object
) -> Geometry | None:
    return None if isinstance(element, Collection) else element.geometry


@function("Feature.id", "Image.id")
def _id(element: Element) -> str | None:
    return None if isinstance(element, Collection) else element.name


def _aggregate(
    name: str, reduce: Callable[[list[Any]], object]
) -> Callable[[Collection, str], object]:
    def run(collection: Collection, name_of: str) -> object:
        values = [property_of(element, name_of) for element in collection.elements()]
        try:
            return reduce([value for value in values if value is not None])
        except TypeError:
            message = f"AggregateFeatureCollection.{name}: '{name_of}' is not a number everywhere."
            raise EarthEngineError(message) from None

    return run


_AGGREGATIONS: Final[Mapping[str, Callable[[list[Any]], object]]] = {
    "array": list,
    "count": len,
    "count_distinct": lambda values: len(set(values)),
    "first": lambda values: values[0] if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "sum": sum,
    "mean": lambda values: sum(values) / len(values) if values else None,
}
for _aggregation, _reduce in _AGGREGATIONS.items():
    IMPLEMENTATIONS[f"AggregateFeatureCollection.{_aggregation}"] = _aggregate(
        _aggregation, _reduce
    )
