"""Which plan belongs to which build."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order


def plan_key(
    orders: Sequence[Order], catalogue: Catalogue, since: date | None, until: date | None
) -> str:
    """Names what is asked: 16 hexadecimal digits, the same on another day.

    Args:
        orders: What is asked of each cell, finished cells included.
        catalogue: Its rules, quota and calls are part of the question.
        since: First day of capture as it was given; None for the catalogue's.
        until: Last day as it was given; None for the day of the run, whichever that is.
    """
    said = [
        sorted([order.ground_key, sorted(order.sensors)] for order in orders),
        sorted({order.seed for order in orders}), str(since), str(until), catalogue.judgement,
        catalogue.rules.quota_per_cell, catalogue.flickr.calls_per_cell,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
