"""What Earth Engine allows: sizes, depth, requests at once, requests a second."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from collectors.sandbox.earth_engine_errors import EarthEngineError

if TYPE_CHECKING:
    from collections.abc import Callable

_TOO_MANY: Final = (
    "Too Many Requests: Request was rejected because the request rate or concurrency limit was "
    "exceeded."
)
_TOO_FAST: Final = (
    "Quota exceeded for quota metric 'Number of read requests' and limit 'Number of read requests "
    "per minute per user' of service 'earthengine.googleapis.com' for consumer "
    "'project_number:1'."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The service's limits; the defaults are those that its documentation states.

    Attributes:
        payload_bytes: Largest body of a request (the service's own error message).
        pixel_bytes: Largest uncompressed answer of pixels (guide to data extraction: 48 MB).
        side: Longest side of a request for pixels (the same guide).
        bands: Most bands of a request for pixels (the same guide).
        depth: Deepest nesting of an expression; a reference begins anew (the client's
            serializer, which keeps away from it).
        at_once: Requests of a project that are answered at the same time (page on quotas).
        per_second: Requests of a project within any second (the same page: 6,000 a minute).
        rows: Rows of a page of a table: default and maximum.
        monthly_eecu_s: Compute of a month in EECU-seconds, by `collectors.sandbox.compute_meter`
            (page on noncommercial tiers: 150 EECU-hours for the tier Community).
        at_once_restricted: Requests at the same time when the month's compute is used up. The
            service does not publish its figure; this one is an assumption.
    """

    payload_bytes: int = 10_485_760
    pixel_bytes: int = 50_331_648
    side: int = 32_768
    bands: int = 1_024
    depth: int = 100
    at_once: int = 40
    per_second: int = 100
    rows: int = 1_000
    monthly_eecu_s: float = 540_000.0
    at_once_restricted: int = 4


REAL_LIMITS: Final = Limits()
"""The limits of the real service."""


def parse_limits(text: str) -> Limits:
    """Return the real limits but for those that a JSON object names, such as {"at_once": 10}.

    Raises:
        ValueError: It is no such object, or names what is no limit; the text says which.
    """
    changes = json.loads(text)
    known = [entry.name for entry in fields(Limits)]
    if not isinstance(changes, dict) or not set(changes) <= set(known):
        message = f"limits are a JSON object with any of {', '.join(known)}, not {text}"
        raise ValueError(message)
    for name, value in changes.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            message = f"the limit {name} must be a number of at least 0, not {value!r}"
            raise ValueError(message)
    return Limits(**changes)


@dataclass(slots=True)
class Gate:
    """Lets requests in, or refuses them; used by the event loop alone.

    Attributes:
        limits: What is allowed.
        now: Gives the time in seconds.
    """

    limits: Limits
    now: Callable[[], float]
    _inside: int = 0
    _entered: deque[float] = field(default_factory=deque)

    def enter(self, *, restricted: bool) -> None:
        """Let a request in; `leave` must follow.

        Args:
            restricted: Whether the month's compute is used up.

        Raises:
            EarthEngineError: 429: too many are inside, or came within the last second.
        """
        now = self.now()
        while self._entered and not now - 1.0 < self._entered[0] <= now:
            self._entered.popleft()
        if len(self._entered) >= self.limits.per_second:
            raise EarthEngineError(_TOO_FAST, 429)
        at_once = self.limits.at_once_restricted if restricted else self.limits.at_once
        if self._inside >= at_once:
            raise EarthEngineError(_TOO_MANY, 429)
        self._entered.append(now)
        self._inside += 1

    def leave(self) -> None:
        """Let a request out."""
        self._inside -= 1
