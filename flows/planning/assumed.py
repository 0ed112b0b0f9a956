"""Figures where nothing is known: no searches are allowed, and there is no dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from filters.sampling import quota_for
from flows.planning.estimates import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order
    from flows.planning.rates import Rates

FILLED: Final = Range(0.05, 0.6, 1.0)
"""Kept photos over the quota. Land with few people brings next to nothing; the stand-ins' worlds
fill every quota of 40."""

FOUND: Final = Range(2.0, 6.0, 15.0)
"""Photos seen for each that is kept. The stand-ins' demo has 6.1 (2,398 for 392)."""

SCREENED: Final = Range(1.2, 3.0, 6.0)
"""Photos that pass the screen for each that is kept; the demo has 3.0."""

DOWNLOADED: Final = Range(1.1, 1.35, 2.0)
"""Downloads for each photo that is kept; the demo has 1.33."""

CHIPS: Final = Range(0.3, 0.85, 1.0)
"""Chips of a sensor for each photo that is kept; the demo has 0.91 of Sentinel-2."""

PAIRS: Final = Range(0.6, 0.92, 1.0)
"""Pairs of a sensor for each photo that is kept; the demo has 0.93 of Sentinel-2."""

CALLS: Final = Range(1.0, 11.0, 60.0)
"""Searches of a cell; the demo has 11."""

FETCHED: Final = Range(1.0, 1.08, 1.6)
"""Requests for pixels for each chip with pixels; the demo has 1.06."""


def assume(orders: Sequence[Order], catalogue: Catalogue, rates: Rates) -> dict[str, Range]:
    """Returns the figures of a plan from the constants above.

    Args:
        orders: What is asked of each cell.
        catalogue: Its quota and sensors.
        rates: Sizes.
    """
    quotas = [quota_for(catalogue.rules.quota_per_cell, one.ground.share) for one in orders]
    photos = FILLED.times(sum(quotas))
    figures = {
        "found": _of(FOUND, photos), "screened": _of(SCREENED, photos), "photos": photos,
        "downloads": _of(DOWNLOADED, photos), "flickr_calls": CALLS.times(len(orders)),
    }  # fmt: skip
    bytes_ = photos.times(rates.photo_bytes.mean)
    chips = pairs = pixels = Range(0, 0, 0)
    for name in sorted({name for order in orders for name in order.sensors}):
        asked = [
            quota for quota, order in zip(quotas, orders, strict=True)
            if name in order.sensors and _reaches(order, catalogue, name)
        ]  # fmt: skip
        there = FILLED.times(sum(asked))
        figures[f"chips_{name}"] = _of(CHIPS, there)
        figures[f"pairs_{name}"] = _of(PAIRS, there)
        chips = _sum(chips, figures[f"chips_{name}"])
        pairs = _sum(pairs, figures[f"pairs_{name}"])
        pixels = _sum(pixels, _of(FETCHED, figures[f"chips_{name}"]))
        bytes_ = _sum(bytes_, figures[f"chips_{name}"].times(rates.sensors[name].bytes.mean))
    resolve = Range(len(orders), len(orders), 2 * len(orders))
    return figures | {
        "chips": chips, "pairs": pairs, "bytes": bytes_, "resolve_requests": resolve,
        "pixel_requests": pixels, "earth_engine_requests": _sum(pixels, resolve),
    }  # fmt: skip


def _reaches(order: Order, catalogue: Catalogue, name: str) -> bool:
    """Says whether a sensor has scenes in a cell at all."""
    extent, box = catalogue.sensors[name].extent, order.ground.bounds
    return extent is None or (
        extent.west < box.east and box.west < extent.east
        and extent.south < box.north and box.south < extent.north
    )  # fmt: skip


def _of(share: Range, of: Range) -> Range:
    return Range(share.low * of.low, share.likely * of.likely, share.high * of.high)


def _sum(one: Range, other: Range) -> Range:
    return Range(one.low + other.low, one.likely + other.likely, one.high + other.high)
