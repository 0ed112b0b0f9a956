"""Earth Engine's filters."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import shapely

from collectors.sandbox.coercion import coerce_geometry
from collectors.sandbox.earth_engine_errors import EarthEngineError, not_implemented
from collectors.sandbox.geometry import Geometry, is_geographic
from collectors.sandbox.registry import IMPLEMENTATIONS, function
from collectors.sandbox.values import (
    Collection,
    ErrorMargin,
    Moment,
    MomentRange,
    property_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectors.sandbox.values import Element, Filter

GEOMETRY_FIELDS: Final = frozenset({".geo", ".all"})
"""Field names that mean an element's own geometry."""

TIME_FIELD: Final = "system:time_start"


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Compares a property with a value, or with another property.

    A missing property, or one of a type that does not compare, does not pass.
    """

    left_field: str | None
    left_value: object
    right_field: str | None
    right_value: object
    test: Callable[[Any, Any], bool]

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        left, right = self.left_value, self.right_value
        if self.left_field is not None:
            left = property_of(element, self.left_field)
        if self.right_field is not None:
            right = property_of(element, self.right_field)
        if left is None or right is None:
            return False
        try:
            return self.test(left, right)
        except TypeError:
            return False


@dataclass(frozen=True, slots=True, eq=False)
class GeometryFilter:
    """Tests an element's geometry against a shape, in the element's own CRS.

    Scenes have their footprints in UTM: testing there keeps zone edges and the antimeridian
    right. Elements that share a footprint are tested once.

    Attributes:
        region: The shape.
        test: Shapely's predicate of the element's shape and the region.
        narrows: Whether only elements that touch the region can pass.
    """

    region: Geometry
    test: Callable[[Any, Any], bool]
    narrows: bool
    _known: dict[int, tuple[Geometry, bool]] = field(default_factory=dict)

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        if isinstance(element, Collection) or element.geometry is None:
            return False
        geometry = element.geometry
        known = self._known.get(id(geometry))
        if known is None:
            crs = geometry.crs
            if is_geographic(crs) and not is_geographic(self.region.crs):
                crs = self.region.crs
            shapes = geometry.shape_in(crs), self.region.shape_in(crs)
            # The geometry is kept with the answer, so that its id is not given to another.
            known = self._known[id(geometry)] = (geometry, self.test(*shapes))
        return known[1]


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """Holds for elements whose time lies in a range (its end is outside)."""

    window: MomentRange
    field: str

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        time = property_of(element, self.field)
        if isinstance(time, Moment):
            time = time.ms
        if not isinstance(time, int | float):
            return False
        return self.window.start_ms <= time < self.window.end_ms


@dataclass(frozen=True, slots=True)
class AndFilter:
    """Holds where every part holds."""

    parts: tuple[Filter, ...]

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        return all(part.holds(element) for part in self.parts)


@dataclass(frozen=True, slots=True)
class OrFilter:
    """Holds where any part holds."""

    parts: tuple[Filter, ...]

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        return any(part.holds(element) for part in self.parts)


@dataclass(frozen=True, slots=True)
class NotFilter:
    """Holds where its part does not."""

    part: Filter

    def holds(self, element: Element) -> bool:
        """See `Filter`."""
        return not self.part.holds(element)


def flatten_filters(filters: tuple[Filter, ...]) -> list[Filter]:
    """Return the filters that must all hold, taken out of any AndFilter."""
    flat: list[Filter] = []
    for item in filters:
        flat.extend(flatten_filters(item.parts) if isinstance(item, AndFilter) else [item])
    return flat


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equals": operator.eq,
    "notEquals": operator.ne,
    "lessThan": operator.lt,
    "lessThanOrEquals": operator.le,
    "greaterThan": operator.gt,
    "greaterThanOrEquals": operator.ge,
    "stringStartsWith": str.startswith,
    "stringEndsWith": str.endswith,
    "stringContains": lambda left, right: right in left,
    "inList": lambda left, right: left in right,
    "listContains": lambda left, right: right in left,
}
_SHORT_NAMES: Final = {
    "eq": "equals",
    "neq": "notEquals",
    "lt": "lessThan",
    "lte": "lessThanOrEquals",
    "gt": "greaterThan",
    "gte": "greaterThanOrEquals",
}


def _comparison(name: str, test: Callable[[Any, Any], bool]) -> Callable[..., Filter]:
    def build(
        left_field: str | None,
        right_value: object,
        right_field: str | None,
        left_value: object,
    ) -> Filter:
        _check_sides(name, left_field, right_value, right_field, left_value)
        return PropertyFilter(left_field, left_value, right_field, right_value, test)

    return build


for _name, _test in _COMPARISONS.items():
    IMPLEMENTATIONS[f"Filter.{_name}"] = _comparison(_name, _test)
for _short, _long in _SHORT_NAMES.items():
    IMPLEMENTATIONS[f"Filter.{_short}"] = _comparison(_long, _COMPARISONS[_long])


def _geometric(name: str, test: Callable[[Any, Any], bool]) -> Callable[..., Filter]:
    def build(
        left_field: str | None,
        right_value: object,
        right_field: str | None,
        left_value: object,
        _margin: ErrorMargin,
    ) -> Filter:
        _check_sides(name, left_field, right_value, right_field, left_value)
        if left_field not in GEOMETRY_FIELDS:
            what = f"Filter.{name} on anything but an element's own geometry"
            raise not_implemented(what)
        return GeometryFilter(coerce_geometry(name, right_value), test, name != "disjoint")

    return build


def intersects(left: Any, right: Any) -> bool:
    """Return whether two shapes of one CRS have a point in common."""
    return bool(shapely.intersects(left, right))


_PREDICATES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "intersects": intersects,
    "contains": lambda left, right: bool(shapely.contains(left, right)),
    "isContained": lambda left, right: bool(shapely.within(left, right)),
    "disjoint": lambda left, right: bool(shapely.disjoint(left, right)),
}
for _name, _test in _PREDICATES.items():
    IMPLEMENTATIONS[f"Filter.{_name}"] = _geometric(_name, _test)


def _check_sides(
    name: str, left_field: object, right_value: object, right_field: object, left_value: object
) -> None:
    left = (left_field is not None) + (left_value is not None)
    right = (right_field is not None) + (right_value is not None)
    if left != 1 or right != 1:
        message = f"Filter.{name}: Each side needs a field or a value, and not both."
        raise EarthEngineError(message)


@function("Filter.dateRangeContains")
def _date_range_contains(
    _left_field: str | None,
    _right_value: object,
    right_field: str | None,
    left_value: object,
) -> Filter:
    if not isinstance(left_value, MomentRange) or right_field is None:
        what = "Filter.dateRangeContains but of a field in a given DateRange"
        raise not_implemented(what)
    return TimeFilter(left_value, right_field)


def _filters(name: str, filters: list[object]) -> tuple[Any, ...]:
    for item in filters:
        if not hasattr(item, "holds"):
            message = f"Filter.{name}: every one of 'filters' must be a Filter."
            raise EarthEngineError(message)
    return tuple(filters)


@function("Filter.and")
def _and(filters: list[object]) -> Filter:
    return AndFilter(_filters("and", filters))


@function("Filter.or")
def _or(filters: list[object]) -> Filter:
    return OrFilter(_filters("or", filters))


@function("Filter.not")
def _not(part: object) -> Filter:
    return NotFilter(_filters("not", [part])[0])


@function("Filter.notNull")
def _not_null(properties: list[str]) -> Filter:
    return AndFilter(
        tuple(
            PropertyFilter(name, None, None, True, lambda _left, _right: True)
            for name in properties
        )
    )
