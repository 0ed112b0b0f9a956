"""Earth Engine's functions on lists and dictionaries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.coercion import type_name
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.functions_numbers import to_string
from collectors.sandbox.registry import function

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_REPEAT: Final = 10_000_000
"""Longest list that is made of nothing; the sandbox's own guard."""


@function("List.get", "List.getNumber", "List.getString", "List.getGeometry")
def _list_get(items: list[object], index: int) -> object:
    if not -len(items) <= index < len(items):
        message = f"List.get: Bad index {index}, list size {len(items)}."
        raise EarthEngineError(message)
    return items[index]


@function("List.map")
def _list_map(
    items: list[object],
    algorithm: Callable[[object], object],
    drop_nulls: object,
) -> list[object]:
    mapped = [algorithm(item) for item in items]
    return [item for item in mapped if item is not None] if drop_nulls else mapped


@function("List.join")
def _list_join(items: list[object], separator: str) -> str:
    return separator.join(to_string(item) for item in items)


@function("List.size", "List.length")
def _list_size(items: list[object]) -> int:
    return len(items)


@function("List.cat")
def _list_cat(items: list[object], other: list[object]) -> list[object]:
    return [*items, *other]


@function("List.add")
def _list_add(items: list[object], element: object) -> list[object]:
    return [*items, element]


@function("List.contains")
def _list_contains(items: list[object], element: object) -> bool:
    return element in items


@function("List.indexOf")
def _list_index(items: list[object], element: object) -> int:
    return items.index(element) if element in items else -1


@function("List.flatten")
def _list_flatten(items: list[object]) -> list[object]:
    flat: list[object] = []
    for item in items:
        flat.extend(_list_flatten(item) if isinstance(item, list) else [item])
    return flat


@function("List.distinct")
def _list_distinct(items: list[object]) -> list[object]:
    return [item for place, item in enumerate(items) if item not in items[:place]]


@function("List.slice")
def _list_slice(items: list[object], start: int, end: int | None, step: int | None) -> list[object]:
    return items[start:end:step]


@function("List.sort")
def _list_sort(items: list[Any], keys: list[Any] | None) -> list[Any]:
    try:
        if keys is None:
            return sorted(items)
        return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]
    except (TypeError, ValueError):
        message = "List.sort: the keys cannot be compared, or are of another number."
        raise EarthEngineError(message) from None


@function("List.zip")
def _list_zip(items: list[object], other: list[object]) -> list[object]:
    return [list(pair) for pair in zip(items, other, strict=False)]


@function("List.repeat")
def _list_repeat(value: object, count: int) -> list[object]:
    if not 0 <= count <= MAX_REPEAT:
        message = f"List.repeat: The count must be between 0 and {MAX_REPEAT}, not {count}."
        raise EarthEngineError(message)
    return [value] * count


@function("List.sequence")
def _list_sequence(start: float, end: float | None, step: float, count: int | None) -> list[float]:
    if count is None:
        if end is None:
            message = "List.sequence: Either 'end' or 'count' must be given."
            raise EarthEngineError(message)
        if step == 0:
            message = "List.sequence: The step must not be 0."
            raise EarthEngineError(message)
        count = math.floor((end - start) / step) + 1
    elif end is not None and count > 1:
        step = (end - start) / (count - 1)
    if count > MAX_REPEAT:
        message = f"List.sequence: More than {MAX_REPEAT} numbers."
        raise EarthEngineError(message)
    return [start + place * step for place in range(max(count, 0))]


@function("Dictionary")
def _dictionary(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return _from_pairs("Dictionary", value[::2], value[1::2])
    message = f"Dictionary: cannot make a Dictionary of a {type_name(value)}."
    raise EarthEngineError(message)


@function("Dictionary.get")
def _dictionary_get(dictionary: dict[str, object], key: str, default: object) -> object:
    value = dictionary.get(key, default)
    if value is None:
        message = f"Dictionary.get: Dictionary does not contain key: '{key}'."
        raise EarthEngineError(message)
    return value


@function("Dictionary.set")
def _dictionary_set(dictionary: dict[str, object], key: str, value: object) -> dict[str, object]:
    return {**dictionary, key: value}


@function("Dictionary.contains")
def _dictionary_contains(dictionary: dict[str, object], key: str) -> bool:
    return key in dictionary


@function("Dictionary.keys")
def _dictionary_keys(dictionary: dict[str, object]) -> list[str]:
    return sorted(dictionary)


@function("Dictionary.values")
def _dictionary_values(dictionary: dict[str, object], keys: list[str] | None) -> list[object]:
    wanted = keys or sorted(dictionary)
    for key in wanted:
        if not isinstance(key, str) or key not in dictionary:
            message = f"Dictionary.values: Dictionary does not contain key: '{key}'."
            raise EarthEngineError(message)
    return [dictionary[key] for key in wanted]


@function("Dictionary.size")
def _dictionary_size(dictionary: dict[str, object]) -> int:
    return len(dictionary)


@function("Dictionary.combine")
def _dictionary_combine(
    first: dict[str, object], second: dict[str, object], overwrite: object
) -> dict[str, object]:
    return {**first, **second} if overwrite else {**second, **first}


@function("Dictionary.fromLists")
def _dictionary_from_lists(keys: list[str], values: list[object]) -> dict[str, object]:
    return _from_pairs("Dictionary.fromLists", keys, values)


def _from_pairs(name: str, keys: list[Any], values: list[object]) -> dict[str, object]:
    if len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
        message = f"{name}: There must be a value for each key, and keys must be strings."
        raise EarthEngineError(message)
    return dict(zip(keys, values, strict=True))
