"""What is asked of the running sandbox itself: counts, other faults, what became of photos."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from collectors.sandbox.fault_plans import parse_plan
from collectors.sandbox.photo_changes import parse_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from collectors.sandbox.faults import Faults
    from collectors.sandbox.people import People
    from collectors.sandbox.traffic import Traffic


class Meter:
    """Counts requests by kind; may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, kind: str) -> None:
        """Counts one request."""
        with self._lock:
            self._counts[kind] += 1

    def read(self) -> dict[str, int]:
        """Gives the number of requests by kind; kinds that never came are missing."""
        with self._lock:
            return dict(self._counts)

    def reset(self) -> None:
        """Sets all counts to 0."""
        with self._lock:
            self._counts.clear()


class FaultChanger:
    """Takes another plan of faults while the sandbox runs."""

    def __init__(self, faults: Faults, latency_s: Mapping[str, float]) -> None:
        self._faults = faults
        self._latency_s = latency_s

    async def change(self, request: Request) -> Response:
        """Takes the plan; what it does not say of latency stays as it was at the start."""
        try:
            plan = parse_plan(json.loads(await request.body()))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        self._faults.replace(replace(plan, latency_s={**self._latency_s, **plan.latency_s}))
        return Response(status_code=204)


async def change_photos(people: People, request: Request) -> Response:
    """Takes what became of photos; what was said before of any of them holds no more."""
    try:
        people.changes = parse_changes(json.loads(await request.body()))
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return Response(status_code=204)


async def reset(meter: Meter, traffic: Traffic, _request: Request) -> Response:
    """Sets the counts to 0, and forgets the traffic."""
    meter.reset()
    traffic.reset()
    return Response(status_code=204)
