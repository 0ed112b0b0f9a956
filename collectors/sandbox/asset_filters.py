"""The filter language of `listAssets`.

A filter is made of comparisons, such as `startTime >= "2019-07-20T00:00:00Z"` and
`properties.CLOUDY_PIXEL_PERCENTAGE < 1`, and of `intersects("{GeoJSON in single quotes}")`, joined
by AND and OR, negated by NOT or `-`, and grouped by parentheses (Earth Engine REST reference,
`projects.assets.listAssets`).
"""

from __future__ import annotations

import json
import math
import operator
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.coercion import coerce_geometry, parse_moment
from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.functions_filters import (
    AndFilter,
    GeometryFilter,
    NotFilter,
    OrFilter,
    PropertyFilter,
    TimeFilter,
    flatten_filters,
    intersects,
)
from collectors.sandbox.values import MomentRange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectors.sandbox.geometry import Geometry
    from collectors.sandbox.values import Filter

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<sign><=|>=|!=|=|<|>|\(|\)|-)
      | (?P<word>[A-Za-z_][\w.:]*)
    )""",
    re.VERBOSE,
)
_TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TIMES: Final = {"startTime": "system:time_start", "endTime": "system:time_end"}
_JUST_AFTER_MS: Final = 1.0


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """A parsed filter.

    Attributes:
        condition: Holds for the images that pass.
        region: Where such images can be, or None.
        start_ms: First instant at which they can begin, milliseconds since 1970.
        end_ms: First instant at which they no longer can.
    """

    condition: Filter
    region: Geometry | None = None
    start_ms: float = -math.inf
    end_ms: float = math.inf


def parse_filter(text: str) -> AssetFilter:
    """Return what a filter asks for; an empty one lets everything pass.

    Raises:
        EarthEngineError: It is malformed.
    """
    condition: Filter = AndFilter(())
    if text.strip():
        parser = _Parser(text, _split(text))
        condition = parser.either()
        if parser.peek() is not None:
            raise _malformed(text)
    region: Geometry | None = None
    start_ms, end_ms = -math.inf, math.inf
    for part in flatten_filters((condition,)):
        match part:
            case GeometryFilter(region=shape, narrows=True) if region is None:
                region = shape
            case TimeFilter(window=window, field="system:time_start"):
                start_ms, end_ms = max(start_ms, window.start_ms), min(end_ms, window.end_ms)
    return AssetFilter(condition, region, start_ms, end_ms)


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[tuple[str, str]]
    place: int = field(default=0)

    def peek(self) -> str | None:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else None

    def take(self, *kinds: str) -> str:
        if self.place >= len(self.tokens) or self.tokens[self.place][0] not in kinds:
            raise _malformed(self.text)
        self.place += 1
        return self.tokens[self.place - 1][1]

    def either(self) -> Filter:
        parts = [self.both()]
        while self.peek() == "OR":
            self.take("word")
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else OrFilter(tuple(parts))

    def both(self) -> Filter:
        parts = [self.one()]
        while self.peek() == "AND":
            self.take("word")
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else AndFilter(tuple(parts))

    def one(self) -> Filter:
        if self.peek() in ("NOT", "-"):
            self.take("word", "sign")
            return NotFilter(self.one())
        if self.peek() == "(":
            self.take("sign")
            inside = self.either()
            self._close()
            return inside
        name = self.take("word")
        if self.peek() == "(":
            return self._intersects(name)
        sign = self.take("sign")
        if sign not in _TESTS:
            raise _malformed(self.text)
        return self._comparison(name, sign, self.take("text", "number"))

    def _close(self) -> None:
        if self.take("sign") != ")":
            raise _malformed(self.text)

    def _intersects(self, name: str) -> Filter:
        if name != "intersects":
            raise _malformed(self.text)
        self.take("sign")
        written = _unquote(self.take("text"))
        self._close()
        try:
            shape = json.loads(written.replace("'", '"'))
        except ValueError:
            message = f"Invalid GeoJSON in the filter: {written[:100]}"
            raise EarthEngineError(message) from None
        return GeometryFilter(coerce_geometry("intersects", shape), intersects, narrows=True)

    def _comparison(self, name: str, sign: str, written: str) -> Filter:
        value: object = _unquote(written) if written.startswith('"') else float(written)
        if name in _TIMES:
            return _at(_TIMES[name], sign, parse_moment(str(value)).ms)
        prefix, _, key = name.partition(".")
        if prefix == "properties" and key:
            return PropertyFilter(key, None, None, value, _TESTS[sign])
        if name == "id":
            return PropertyFilter("system:id", None, None, value, _TESTS[sign])
        message = f"Unknown field '{name}' in the filter."
        raise EarthEngineError(message)


def _at(name: str, sign: str, time_ms: float) -> Filter:
    after = time_ms + _JUST_AFTER_MS
    windows = {
        "=": (time_ms, after),
        "!=": (time_ms, after),
        "<": (-math.inf, time_ms),
        "<=": (-math.inf, after),
        ">": (after, math.inf),
        ">=": (time_ms, math.inf),
    }
    found = TimeFilter(MomentRange(*windows[sign]), name)
    return NotFilter(found) if sign == "!=" else found


def _split(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise _malformed(text)
        tokens.append((found.lastgroup, found.group(found.lastgroup)))
        place = found.end()
    return tokens


def _unquote(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written[1:-1])


def _malformed(text: str) -> EarthEngineError:
    return EarthEngineError(f"Invalid filter: '{text[:200]}'.")
