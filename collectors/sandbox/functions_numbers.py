"""Earth Engine's functions on numbers, strings and values of any type."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.coercion import type_name
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.registry import IMPLEMENTATIONS, function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def _sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _log(value: float) -> float:
    if value == 0:
        return -math.inf
    return math.log(value) if value > 0 else math.nan


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:  # a negative number to a broken power, or 0 to a negative one
        return math.nan if left else math.inf


def _round(value: float) -> int:
    return math.floor(value + 0.5)


_ONE_NUMBER: Final[Mapping[str, Callable[[Any], Any]]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": _round,
    "sqrt": _sqrt,
    "exp": _exp,
    "log": _log,
    "int": math.trunc,
    "long": math.trunc,
    "toInt": math.trunc,
    "toLong": math.trunc,
    "toInt64": math.trunc,
    "toInt32": math.trunc,
    "toDouble": float,
    "toFloat": float,
    "double": float,
    "float": float,
    "not": lambda value: int(not value),
    "signum": lambda value: (value > 0) - (value < 0),
}
_TWO_NUMBERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "mod": math.fmod,
    "pow": _power,
    "min": min,
    "max": max,
    "eq": lambda left, right: int(left == right),
    "neq": lambda left, right: int(left != right),
    "gt": lambda left, right: int(left > right),
    "gte": lambda left, right: int(left >= right),
    "lt": lambda left, right: int(left < right),
    "lte": lambda left, right: int(left <= right),
    "and": lambda left, right: int(bool(left) and bool(right)),
    "or": lambda left, right: int(bool(left) or bool(right)),
}

for _name, _one in _ONE_NUMBER.items():
    IMPLEMENTATIONS[f"Number.{_name}"] = lambda value, _one=_one: _one(value)
for _name, _two in _TWO_NUMBERS.items():
    IMPLEMENTATIONS[f"Number.{_name}"] = lambda left, right, _two=_two: _two(left, right)


@function("Number.clamp")
def _clamp(number: float, low: float, high: float) -> float:
    return min(max(number, low), high)


@function("Number.parse")
def _parse(text: str, radix: int) -> float:
    try:
        return float(text) if radix == 10 else int(text, radix)
    except ValueError:
        message = f"Number.parse: Cannot parse '{text}' as a number."
        raise EarthEngineError(message) from None


@function("Number.format")
def _format(number: float, pattern: str) -> str:
    try:
        return pattern % (int(number) if "d" in pattern else number)
    except (TypeError, ValueError):
        message = f"Number.format: Bad pattern '{pattern}'."
        raise EarthEngineError(message) from None


@function("String")
def to_string(value: object) -> str:
    """Return a value as a String.

    Raises:
        EarthEngineError: It is neither a string nor a number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    message = f"String: cannot make a String of a {type_name(value)}."
    raise EarthEngineError(message)


@function("String.cat")
def _string_cat(first: str, second: str) -> str:
    return first + second


@function("String.length")
def _string_length(text: str) -> int:
    return len(text)


@function("String.slice")
def _string_slice(text: str, start: int, end: int | None) -> str:
    return text[start:end]


@function("String.toLowerCase")
def _lower(text: str) -> str:
    return text.lower()


@function("String.toUpperCase")
def _upper(text: str) -> str:
    return text.upper()


@function("IsEqual")
def _is_equal(left: object, right: object) -> bool:
    return left == right


@function("If")
def _if(condition: object, true_case: object, false_case: object) -> object:
    return true_case if condition else false_case


@function("ObjectType")
def _object_type(value: object) -> str:
    return type_name(value)
