"""Earth Engine's functions on elements and collections of them."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.coercion import type_name
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.functions_filters import (
    TIME_FIELD,
    GeometryFilter,
    PropertyFilter,
    TimeFilter,
    flatten_filters,
)
from collectors.sandbox.registry import function, loader
from collectors.sandbox.scenes import SENSORS, TooManyScenesError
from collectors.sandbox.values import (
    CatalogueQuery,
    Collection,
    Feature,
    Image,
    Moment,
    property_of,
    scene_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.sandbox.geometry import Geometry
    from collectors.sandbox.scenes import SceneWorld
    from collectors.sandbox.values import Element, Filter

MAX_ELEMENTS: Final = 5_000
"""Most elements that the service gathers from a collection."""

_TOO_MANY: Final = f"Collection query aborted after accumulating over {MAX_ELEMENTS} elements."


@loader("ImageCollection.load")
def _load(world: SceneWorld, name: str, _version: object) -> Collection:
    if name not in SENSORS:
        message = (
            f"ImageCollection.load: ImageCollection asset '{name}' not found "
            "(does not exist or caller does not have access)."
        )
        raise EarthEngineError(message)
    return _from_catalogue(CatalogueQuery(world, name))


def _from_catalogue(query: CatalogueQuery) -> Collection:
    return Collection(of_images=True, source=lambda: _ask(query), load=query)


def _ask(query: CatalogueQuery) -> list[Element]:
    """Return the images of the catalogue that pass every filter, ordered by index.

    What the filters say of name, place and time narrows the search; then every filter is applied.
    """
    region: Geometry | None = None
    start_ms, end_ms = -math.inf, math.inf
    index: str | None = None
    conditions = flatten_filters(query.filters)
    for condition in conditions:
        match condition:
            case GeometryFilter(region=shape, narrows=True) if region is None:
                region = shape
            case TimeFilter(window=window, field=name) if name == TIME_FIELD:
                start_ms, end_ms = max(start_ms, window.start_ms), min(end_ms, window.end_ms)
            case PropertyFilter(
                left_field="system:index", right_field=None, right_value=str() as value, test=test
            ) if test is operator.eq:
                index = value
    if index is not None:
        named = query.world.find(f"{query.collection}/{index}")
        scenes = [] if named is None else [named]
    else:
        try:
            scenes = query.world.search(SENSORS[query.collection], region, start_ms, end_ms)
        except TooManyScenesError:
            raise EarthEngineError(_TOO_MANY) from None
    images: list[Element] = [scene_image(scene) for scene in scenes]
    for condition in conditions:
        holds = condition.holds
        images = [image for image in images if holds(image)]
    return images


@function("Collection.filter")
def _filter(collection: Collection, condition: Any) -> Collection:
    if not hasattr(condition, "holds"):
        message = (
            "Collection.filter, argument 'filter': Invalid type.\nExpected type: Filter.\n"
            f"Actual type: {type_name(condition)}."
        )
        raise EarthEngineError(message)
    kept: Filter = condition
    if collection.load is not None:
        query = replace(collection.load, filters=(*collection.load.filters, kept))
        return _from_catalogue(query)
    return Collection(
        collection.of_images,
        lambda: [element for element in collection.elements() if kept.holds(element)],
    )


@function("Collection.map")
def _map(
    collection: Collection,
    algorithm: Callable[[object], object],
    drop_nulls: object,
) -> Collection:
    mapped: list[Element] = []
    for element in collection.elements():
        value = algorithm(element)
        if value is None and drop_nulls:
            continue
        if not isinstance(value, Feature | Image | Collection):
            message = "Collection.map: A mapped algorithm must return a Feature or Image."
            raise EarthEngineError(message)
        if isinstance(value, Feature) and value.name is None:
            value = replace(value, name=_name(element))
        mapped.append(value)
    return Collection.of(mapped, of_images=None if mapped else collection.of_images)


def _name(element: Element) -> str | None:
    return None if isinstance(element, Collection) else element.name


@function("Collection")
def _collection(elements: list[object]) -> Collection:
    found: list[Element] = []
    for place, element in enumerate(elements):
        if not isinstance(element, Feature | Image | Collection):
            message = "Collection: every element must be a Feature, an Image or a collection."
            raise EarthEngineError(message)
        unnamed = isinstance(element, Feature) and element.name is None
        found.append(_renamed(element, str(place)) if unnamed else element)
    return Collection.of(found)


@function("ImageCollection.fromImages")
def _from_images(images: list[object]) -> Collection:
    found: list[Element] = []
    for image in images:
        if not isinstance(image, Image):
            message = "ImageCollection.fromImages: every element must be an Image."
            raise EarthEngineError(message)
        found.append(image)
    return Collection.of(found, of_images=True)


@function("Collection.flatten")
def _flatten(collection: Collection) -> Collection:
    flat: list[Element] = []
    for outer, part in enumerate(collection.elements()):
        if not isinstance(part, Collection):
            message = "Collection.flatten: every element must be a collection."
            raise EarthEngineError(message)
        flat.extend(
            _renamed(element, f"{outer}_{_name(element) or inner}")
            for inner, element in enumerate(part.elements())
        )
    return Collection.of(flat)


@function("Collection.merge", "ImageCollection.merge")
def _merge(first: Collection, second: Collection) -> Collection:
    merged = [
        _renamed(element, f"{number}_{_name(element) or place}")
        for number, part in ((1, first), (2, second))
        for place, element in enumerate(part.elements())
    ]
    return Collection.of(merged, of_images=first.of_images)


def _renamed(element: Element, name: str) -> Element:
    if isinstance(element, Feature):
        return replace(element, name=name)
    if isinstance(element, Image):
        return element.with_properties({**element.properties, "system:index": name})
    return element


@function("Collection.limit")
def _limit(
    collection: Collection,
    limit: int | None,
    key: str | None,
    ascending: object,
) -> Collection:
    def compute() -> list[Element]:
        elements = collection.elements()
        if key is not None:
            elements = _sorted(elements, key, descending=not ascending)
        return elements if limit is None else elements[:limit]

    return Collection(collection.of_images, compute)


def _sorted(elements: list[Element], key: str, *, descending: bool) -> list[Element]:
    """Return elements ordered by a property; those without it come last, ties keep their order."""
    values = [(_sortable(property_of(element, key)), element) for element in elements]
    known = [pair for pair in values if pair[0] is not None]
    unknown = [element for value, element in values if value is None]
    try:
        known.sort(key=lambda pair: pair[0], reverse=descending)
    except TypeError:
        message = f"Collection.limit: The values of '{key}' cannot be compared."
        raise EarthEngineError(message) from None
    return [element for _, element in known] + unknown


def _sortable(value: Any) -> Any:
    return value.ms if isinstance(value, Moment) else value


@function("Collection.first")
def _first(collection: Collection) -> Element | None:
    elements = collection.elements()
    return elements[0] if elements else None


@function("Collection.size")
def _size(collection: Collection) -> int:
    return len(collection.elements())


@function("Collection.toList")
def _to_list(collection: Collection, count: int, offset: int) -> list[Element]:
    return collection.elements()[offset : offset + count]


@function("Collection.distinct")
def _distinct(collection: Collection, properties: Any) -> Collection:
    names = [properties] if isinstance(properties, str) else properties
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        message = "Collection.distinct: 'properties' must be a name or a list of names."
        raise EarthEngineError(message)
    seen: set[str] = set()
    kept: list[Element] = []
    for element in collection.elements():
        key = repr([property_of(element, name) for name in names])
        if key not in seen:
            seen.add(key)
            kept.append(element)
    return Collection.of(kept, of_images=collection.of_images)
