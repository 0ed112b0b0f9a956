"""Reads plans of faults from JSON; whatever it does not know is an error."""

# ruff: noqa: TRY004 (a document of the wrong form is a wrong value, whatever its type)

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.faults import Fault, FaultKind, FaultPlan
from collectors.sandbox.request_kinds import KINDS

if TYPE_CHECKING:
    from pathlib import Path

_FREQUENCIES: Final = ("probability", "every", "first", "first_tries")
# Numbers are 0 and more where nothing else is said; what is called endless still has an end.
_MOST: Final = 1_000_000_000
_RANGES: Final = {
    "every": (1, _MOST),
    "probability": (0, 1),
    "share": (0, 1),
    "seconds": (-_MOST, _MOST),
    "status": (400, 599),
}
# What only some kinds have a use for.
_USES: Final = {
    "seconds": {FaultKind.HANG, FaultKind.SLOW_DRIP, FaultKind.CLOCK_SKEW},
    "share": {FaultKind.TRUNCATED, FaultKind.CUT_OFF},
    "status": {FaultKind.SERVER_ERROR},
    "code": {FaultKind.FAILURE},
}


def parse_plan(document: object) -> FaultPlan:
    """Parses a plan.

    Args:
        document: {"seed": 7, "latency": {"ee": 0.2}, "faults": [{"fault": "reset", "where":
            "photo.get", "every": 20}]}, or the list of faults alone.

    Returns:
        The plan.

    Raises:
        ValueError: when a name or a value is none that the sandbox knows; says which.
    """
    if isinstance(document, list):
        document = {"faults": document}
    if not isinstance(document, dict):
        raise ValueError(f"a plan of faults is an object or a list of faults, not {document!r:.80}")
    if unknown := sorted(set(document) - {"seed", "latency", "faults"}):
        raise ValueError(f"a plan of faults has no {', '.join(unknown)}")
    seed, lines = document.get("seed", 0), document.get("faults", [])
    if not isinstance(seed, int) or isinstance(seed, bool) or not isinstance(lines, list):
        raise ValueError("the seed of a plan is a whole number, its faults are a list")
    faults = tuple(_parse_fault(number, line) for number, line in enumerate(lines))
    return FaultPlan(faults, seed, parse_latency(document.get("latency", {})))


def read_plan(path: Path) -> FaultPlan:
    """Reads a plan from a file.

    Args:
        path: a file of JSON, in UTF-8.

    Returns:
        The plan.

    Raises:
        ValueError: when it is no JSON, or no plan; names the file.
        OSError: when it cannot be read.
    """
    try:
        return parse_plan(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_latency(document: object) -> dict[str, float]:
    """Parses what is added to answers: {"ee": 0.2, "flickr.search": 0.5}, in seconds.

    Raises:
        ValueError: when a name is neither a service nor a kind, or a value no time.
    """
    if not isinstance(document, dict):
        raise ValueError(f"latency is an object of services and seconds, not {document!r:.80}")
    known = KINDS | {kind.partition(".")[0] for kind in KINDS}
    for name, seconds in document.items():
        if name not in known:
            raise ValueError(f"latency: there is no {name!r}; there are {', '.join(sorted(known))}")
        fits = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not fits or not 0 <= seconds <= _MOST:
            raise ValueError(f"latency of {name}: {seconds!r} is no number of seconds")
    return {name: float(seconds) for name, seconds in document.items()}


def _parse_fault(number: int, line: object) -> Fault:
    place = f"fault {number}"
    if not isinstance(line, dict):
        raise ValueError(f"{place}: {line!r:.80} is no object")
    if unknown := sorted(set(line) - {one.name for one in fields(Fault)}):
        raise ValueError(f"{place}: unknown {', '.join(unknown)}")
    try:
        kind = FaultKind(line.get("fault", ""))
    except ValueError:
        raise ValueError(
            f"{place}: {line.get('fault')!r} is none of {', '.join(FaultKind)}"
        ) from None
    for name in ("where", "match"):
        if not isinstance(line.get(name, ""), str):
            raise ValueError(f"{place}: {name} is a text")
    for name, value in line.items():
        if name not in {"fault", "where", "match"}:
            _check_number(place, name, value)
        if kind not in _USES.get(name, {kind}):
            raise ValueError(f"{place}: {kind} has no {name}")
    if kind is not FaultKind.CLOCK_SKEW and line.get("seconds", 0) < 0:
        raise ValueError(f"{place}: seconds cannot be {line['seconds']!r}")
    if sum(name in line for name in _FREQUENCIES) > 1:
        raise ValueError(f"{place}: only one of {', '.join(_FREQUENCIES)} may be given")
    fault = Fault(**(line | {"fault": kind}))
    if not any(fault.concerns(one, fault.match) for one in KINDS):
        raise ValueError(f"{place}: no request of the kind {fault.where!r} can meet {kind}")
    return fault


def _check_number(place: str, name: str, value: Any) -> None:
    whole = name in {"every", "first", "first_tries", "after", "status", "code"}
    least, most = _RANGES.get(name, (0, _MOST))
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        raise ValueError(f"{place}: {name} cannot be {value!r}")
