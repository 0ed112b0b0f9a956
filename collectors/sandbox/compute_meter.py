"""Counts compute as Earth Engine does, in EECU-seconds, by a cost model of the sandbox's own.

The real service does not publish how it prices a request, so this is a stand-in of plausible
size, stated so that a test can rely on it:

    EECU-seconds = 0.01 for a request
                 + 0.00002 for each function call of its expression that is evaluated
                 + 0.0000001 for each pixel of each band that is sent,
                   three times that where the image is computed and not stored

A Sentinel-2 chip of 448 x 448 pixels and 13 bands costs 0.27 when read and 0.79 when computed.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_EECU_S: Final = 0.01
CALL_EECU_S: Final = 2e-5
PIXEL_EECU_S: Final = 1e-7
COMPUTED_FACTOR: Final = 3.0

QUOTA_HEADER: Final = "x-earth-engine-quota-status"
"""Header by which the service tells that a project is restricted (the client looks for it)."""

RESTRICTED: Final = "parallelism_restricted=true"
"""What the client looks for in that header."""


@dataclass(slots=True)
class Work:
    """What one request took.

    Attributes:
        calls: Function calls evaluated.
        pixels: Pixels sent, counted for each band.
        computed: Whether the pixels were computed.
    """

    calls: int = 0
    pixels: int = 0
    computed: bool = False

    @property
    def eecu_s(self) -> float:
        """Price of the request in EECU-seconds."""
        price = PIXEL_EECU_S * (COMPUTED_FACTOR if self.computed else 1.0)
        return REQUEST_EECU_S + CALL_EECU_S * self.calls + price * self.pixels


class ComputeMeter:
    """Adds up the compute of each month (UTC); may be used from any thread.

    Args:
        quota_eecu_s: What a month may take before the project is restricted.
        now: Gives the seconds since 1970.
    """

    def __init__(self, quota_eecu_s: float, now: Callable[[], float]) -> None:
        self._quota_eecu_s = quota_eecu_s
        self._now = now
        self._lock = threading.Lock()
        self._used: defaultdict[str, float] = defaultdict(float)
        self._by_tag: defaultdict[str, float] = defaultdict(float)

    def charge(self, work: Work, tag: str = "") -> None:
        """Add the price of a request, under its `workloadTag`."""
        with self._lock:
            self._used[self._month()] += work.eecu_s
            self._by_tag[tag] += work.eecu_s

    @property
    def restricted(self) -> bool:
        """Whether this month's compute is used up."""
        return self._used[self._month()] >= self._quota_eecu_s

    def read(self) -> dict[str, object]:
        """Return what was used, for JSON: this month, its quota, and all time by workload tag."""
        with self._lock:
            return {
                "month_eecu_s": self._used[self._month()],
                "quota_eecu_s": self._quota_eecu_s,
                "restricted": self.restricted,
                "eecu_s_by_workload": dict(self._by_tag),
            }

    def _month(self) -> str:
        return f"{dt.datetime.fromtimestamp(self._now(), tz=dt.UTC):%Y-%m}"
