"""What both halves of a cell's story work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from flows.cells.batches import Batches
    from flows.cells.orders import Order, Summary
    from flows.cells.services import Services
    from flows.cells.steps import Steps


@dataclass(frozen=True, slots=True)
class CellWork:
    """One cell, one generation to be made, one order.

    Attributes:
        order: What is asked.
        now: Uploads after this are left for a later run, and a photo's age is reckoned from it. A
            run that takes up a stopped one goes on with that one's time.
        generation: The generation being made.
        services: The outside world.
        steps: What was decided on the way.
        batches: Finished work.
        summary: Counts, added to.
    """

    order: Order
    now: datetime
    generation: int
    services: Services
    steps: Steps
    batches: Batches
    summary: Summary
