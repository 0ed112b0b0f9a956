"""What each Earth Engine function takes, from the list that the client library ships."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_LIBRARY: Final = "ee"
_PREFIX: Final = "algorithms/"


class MissingLibraryError(RuntimeError):
    """The Earth Engine client library is not installed."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function.

    Attributes:
        name: Its name in an expression.
        kind: Its type, without what stands in angle brackets: "Number", "List", "Object".
        optional: Whether it may be left out.
        default: Its value then, as JSON.
    """

    name: str
    kind: str
    optional: bool
    default: object


@dataclass(frozen=True, slots=True)
class Signature:
    """Name and parameters of a function."""

    name: str
    parameters: tuple[Parameter, ...]


def library_file(name: str) -> Path:
    """Return the path of a test resource shipped with the Earth Engine library.

    The library is found without being imported, which would take a second.

    Raises:
        MissingLibraryError: It is not installed.
    """
    found = importlib.util.find_spec(_LIBRARY)
    if found is None or found.origin is None:
        message = "The sandbox needs the installed package earthengine-api: install it with pip."
        raise MissingLibraryError(message)
    return Path(found.origin).parent / "tests" / name


@cache
def signatures() -> dict[str, Signature]:
    """Return every function that the service knows, by name."""
    document = json.loads(library_file("algorithms.json").read_bytes())
    return {
        signature.name: signature
        for signature in (_parse(algorithm) for algorithm in document["algorithms"])
    }


def _parse(algorithm: dict[str, Any]) -> Signature:
    return Signature(
        algorithm["name"].removeprefix(_PREFIX),
        tuple(
            Parameter(
                argument["argumentName"],
                argument["type"].partition("<")[0] or "Object",
                bool(argument.get("optional", False)),
                argument.get("defaultValue"),
            )
            for argument in algorithm.get("arguments", [])
        ),
    )
