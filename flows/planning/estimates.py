"""From the miniature's repetitions to figures with a range, and from those to hours and months."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.settings import Settings

ONE_IN_TWENTY: Final = 1.645
"""Standard deviations beyond which one in twenty lies on either side (normal distribution)."""

MODEL_DOUBT: Final = 0.14
"""What the miniature itself may be wrong by, standard deviation of the logarithm: a factor of 1.26
at the ends of a range. Belief, not measurement."""

ANSWER_S: Final = 1.0
"""A request for a chip's pixels takes Earth Engine about a second."""

COMPUTE_TIERS: Final = {"community": 150, "contributor": 1_000, "partner": 100_000}
"""EECU-hours a month of noncommercial projects since April 2026 (Earth Engine's page on them)."""


@dataclass(frozen=True, slots=True)
class Range:
    """A figure: nine times in ten it should lie between low and high."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Range:
        """Returns the range of so many times as much."""
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    def within(self, least: float, most: float) -> Range:
        """Returns the range cut at what cannot be passed."""
        return Range(*(min(max(one, least), most) for one in (self.low, self.likely, self.high)))

    def plain(self, digits: int = 0) -> dict[str, float]:
        """Returns plain values, rounded to digits after the point."""
        values = {"low": self.low, "likely": self.likely, "high": self.high}
        return {name: round(one, digits) if digits else round(one) for name, one in values.items()}


def range_of(draws: Sequence[float], doubt: float = MODEL_DOUBT) -> Range:
    """Makes a range of the repetitions of a figure.

    Likely is their mean. The spread of their logarithms (of one more than each, so that 0 has one)
    and the model's own doubt are added as independent errors are.
    """
    likely = float(np.mean(draws))
    if max(draws) == 0:
        return Range(0.0, 0.0, 0.0)
    spread = float(np.std(np.log1p(np.array(draws, dtype=np.float64)), ddof=1))
    factor = math.exp(ONE_IN_TWENTY * math.hypot(spread, doubt))
    return Range(max(0.0, (likely + 1) / factor - 1), likely, (likely + 1) * factor - 1)


def hours(figures: Mapping[str, Range], settings: Settings) -> dict[str, Range]:
    """Returns how long the limits of each service make a build last, hours.

    The services are asked at the same time by different cells, so the longest of them binds.
    """
    pixels = min(
        settings.earth_engine_requests_per_second, settings.earth_engine_connections / ANSWER_S
    )
    return {
        "flickr": figures["flickr_calls"].times(1 / settings.flickr_rate / 3600),
        "photo_host": figures["downloads"].times(1 / settings.photo_downloads_per_second / 3600),
        "earth_engine": figures["earth_engine_requests"].times(1 / pixels / 3600),
    }


def compute(
    requests: Range, settings: Settings, allowed: int | None, left: int | None
) -> dict[str, Any]:
    """Returns what a build takes of the month's budget and of Earth Engine's compute tiers.

    Args:
        requests: To Earth Engine.
        settings: The mean compute of a request, where it is set.
        allowed: The month's budget of requests; None without one.
        left: What is left of it.
    """
    found: dict[str, Any] = {
        "requests_a_month": allowed,
        "requests_left": left,
        "budget_months": None if not allowed else requests.times(1 / allowed).plain(2),
        "eecu_hours": None,
        "tier_months": None,
        # With a higher mean than this, the likely requests do not fit into a tier's month.
        "tier_eecu_seconds_per_request": {
            name: round(tier * 3600 / requests.likely, 3) if requests.likely else None
            for name, tier in COMPUTE_TIERS.items()
        },
    }
    mean = settings.earth_engine_eecu_seconds_per_request
    if mean is not None:
        eecu = requests.times(mean / 3600)
        found["eecu_hours"] = eecu.plain(2)
        found["tier_months"] = {
            name: eecu.times(1 / tier).plain(3) for name, tier in COMPUTE_TIERS.items()
        }
    return found
