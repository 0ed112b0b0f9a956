"""What the bodies of Earth Engine requests must look like."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.earth_engine_errors import EarthEngineError
from collectors.sandbox.values import Collection

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from collectors.sandbox.values import Feature, Image

_WORKLOAD_TAG: Final = re.compile(r"[a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?")


_TABLE: Final = frozenset({"expression", "pageSize", "pageToken", "workloadTag"})
_PIXELS: Final = frozenset(
    {"fileFormat", "grid", "region", "bandIds", "visualizationOptions", "workloadTag"}
)
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "compute": frozenset({"expression", "workloadTag"}),
    "computeFeatures": _TABLE,
    "computeImages": _TABLE,
    "getPixels": _PIXELS,
    "computePixels": _PIXELS - {"region"} | {"expression"},
}
"""Fields of the body of each method (Earth Engine REST reference)."""


def parse_body(content: bytes, method: str) -> dict[str, Any]:
    """Return the object that a body holds.

    Raises:
        EarthEngineError: It is not a JSON object, or has fields that the method does not know.
    """
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        message = "Invalid JSON payload received. An object is expected."
        raise EarthEngineError(message)
    if method in FIELDS:
        refuse_unknown(body, FIELDS[method])
    return body


def refuse_unknown(message: Mapping[str, Any], known: Container[str], place: str = "") -> None:
    """Check that a JSON object has no fields but the known ones.

    Raises:
        EarthEngineError: It has others; the service names each.
    """
    where = f" at '{place}'" if place else ""
    unknown = [
        f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
        for name in message
        if name not in known
    ]
    if unknown:
        raise EarthEngineError("\n".join(unknown))


def parse_workload_tag(body: Mapping[str, Any]) -> str:
    """Return the tag under which a request's compute is counted; "" where there is none.

    Raises:
        EarthEngineError: It is not of the form that the service takes.
    """
    tag = body.get("workloadTag") or ""
    if not isinstance(tag, str) or (tag and _WORKLOAD_TAG.fullmatch(tag) is None):
        message = f"Invalid workload tag: {tag!r}."
        raise EarthEngineError(message)
    return tag


def collection_rows(verb: str, table: object) -> list[Feature | Image]:
    """Return the elements of a computed collection.

    Raises:
        EarthEngineError: It is no collection, or one of collections.
    """
    if not isinstance(table, Collection):
        message = f"The expression of {verb} must yield a collection."
        raise EarthEngineError(message)
    rows: list[Feature | Image] = []
    for element in table.elements():
        if isinstance(element, Collection):
            message = "A collection of collections must be flattened before it is sent."
            raise EarthEngineError(message)
        rows.append(element)
    return rows
