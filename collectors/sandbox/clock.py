"""The sandbox's clock: the machine's, unless a fault sets it wrong for one request."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Final

SKEW_S: Final[ContextVar[float]] = ContextVar("SKEW_S", default=0.0)
"""Seconds by which the clock is fast while the present request is answered."""


def read_clock() -> float:
    """Gives the seconds since 1970 as the request that is being answered sees them."""
    return time.time() + SKEW_S.get()
