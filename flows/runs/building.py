"""A run over many cells, without orchestration: what there is to do, and doing it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.cells import grounds_of
from collectors.transport import SetupError, TroubleRemains, redact
from flows.catalogue.text import CatalogueError
from flows.cells.cell import collect_cell
from flows.cells.finished import leave_out_finished
from flows.cells.orders import Order, Summary
from flows.cells.services import RunStopped
from flows.limits.budgets import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime
    from typing import Protocol

    from shapely.geometry import MultiPolygon, Polygon

    from flows.cells.cell import Step
    from flows.cells.services import Services

    class Watcher(Protocol):
        """What a run tells about itself while it runs."""

        def begin(self, cells: int) -> None:
            """There are so many cells to do."""

        def step(self, cell_id: str, step: Step, count: int) -> None:
            """A cell has so many photos or chips by now."""

        def finish(self, cell_id: str, summary: Summary) -> None:
            """A cell is done."""

        def line(self, text: str) -> None:
            """Something worth a line."""


_LOG = logging.getLogger("terrapair")


class SilentWatcher:
    """Hears everything and says nothing."""

    def begin(self, cells: int) -> None:
        """There are so many cells to do."""

    def step(self, cell_id: str, step: Step, count: int) -> None:
        """A cell has so many photos or chips by now."""

    def finish(self, cell_id: str, summary: Summary) -> None:
        """A cell is done."""

    def line(self, text: str) -> None:
        """Something worth a line."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A region to collect: its name, its ground in degrees, and the sensors to pair with."""

    name: str
    ground: Polygon | MultiPolygon
    sensors: tuple[str, ...]


def check_window(taken_from: date, taken_until: date | None) -> None:
    """Checks a window of capture dates.

    Raises:
        CatalogueError: If it is empty.
    """
    if taken_until is not None and taken_from > taken_until:
        raise CatalogueError(
            f"the window from {taken_from} to {taken_until} is empty; give --since before --until"
        )


def plan_orders(
    wishes: Iterable[Wish],
    *,
    taken_from: date,
    taken_until: date,
    now: datetime,
    seed: int,
    cells: int | None = None,
    accept_changed_rules: bool = False,
) -> list[Order]:
    """Cuts regions into cells and returns what is to be done in each.

    Args:
        wishes: The regions.
        taken_from: First local day of capture.
        taken_until: Last local day of capture.
        now: Start of the run, UTC, aware.
        seed: The dataset's seed.
        cells: Take only so many cells of each region, those that it fills most.
        accept_changed_rules: Go on in cells that other rules judged.

    Raises:
        CatalogueError: If the window is empty.
    """
    check_window(taken_from, taken_until)
    orders = []
    for wish in wishes:
        grounds = list(grounds_of(wish.ground))
        if cells is not None:
            grounds.sort(key=lambda ground: (-round(ground.share, 9), ground.cell))
            grounds = sorted(grounds[:cells], key=lambda ground: ground.cell)
        orders += [
            Order(
                ground=ground,
                sensors=wish.sensors,
                taken_from=taken_from,
                taken_until=taken_until,
                now=now,
                seed=seed,
                accept_changed_rules=accept_changed_rules,
            )
            for ground in grounds
        ]
    return orders


def collect_guarded(order: Order, services: Services, watcher: Watcher) -> Summary:
    """Collects one cell of a run; trouble with one cell is a line in the summary.

    Args:
        order: What is asked.
        services: The outside world.
        watcher: Hears how far the cell is; that it is done, `announce` tells.

    Raises:
        SetupError: If the set-up is wrong, which concerns every cell; the run is stopped then.
    """
    cell_id = order.cell_id
    started = time.monotonic()
    try:
        services.keep_going()
        summary = collect_cell(order, services, watcher.step)
    except TroubleRemains as trouble:
        summary = failed(cell_id, f"{trouble}; run the same command again to go on")
    except RunStopped:
        return Summary(cells=Counter(stopped=1))
    except BudgetSpent as spent:
        services.stop.set()
        return Summary(cells=Counter(stopped=1), stopped=str(spent))
    except SetupError:
        services.stop.set()
        raise
    except Exception as error:  # noqa: BLE001 - a crash in one cell must not take the others along
        _LOG.exception("cell %s crashed", cell_id)
        said = redact(f"{type(error).__name__}: {error}", services.secrets)
        summary = failed(cell_id, f"crashed ({said}); please report it with the log")
    summary.seconds = time.monotonic() - started
    return summary


def announce(order: Order, summary: Summary, watcher: Watcher) -> None:
    """Tells that a cell is done; one that was stopped is not."""
    if not summary.cells["stopped"]:
        watcher.finish(order.cell_id, summary)


def failed(cell_id: str, message: str) -> Summary:
    """Returns the summary of a cell that failed."""
    summary = Summary()
    summary.cells["failed"] += 1
    summary.troubles[cell_id] = message
    return summary


def total(parts: Sequence[Summary], services: Services) -> Summary:
    """Adds up the cells of a run, with the requests that the services counted.

    Cells that were worked on elsewhere bring the counts of the services there with them.
    """
    whole = Summary()
    whole.count(requests_of(services))
    for part in parts:
        whole.add(part)
    whole.answers.update(services.answers.counts())
    return whole


def requests_of(services: Services) -> dict[str, int]:
    """Returns the requests that services counted, by the names of `Summary`."""
    return {
        "flickr_calls": services.flickr.sent,
        "photo_requests": services.photo_host.sent,
        "resolve_requests": services.earth_engine.requests.resolve,
        "pixel_requests": services.earth_engine.requests.pixels,
    }


def collect_all(
    orders: Sequence[Order],
    services: Services,
    watcher: Watcher,
    each: Callable[[Sequence[Order]], list[Summary]] | None = None,
) -> Summary:
    """Collects all cells.

    Args:
        orders: One for each cell.
        services: The outside world.
        watcher: Hears how it goes.
        each: Runs `collect_guarded` on every order and announces each that is done; one after the
            other if it is left out.

    Returns:
        The counts of the whole run.
    """
    orders, parts = leave_out_finished(orders, services, watcher.line)
    watcher.begin(len(orders))
    if each is None:
        for order in orders:
            parts.append(collect_guarded(order, services, watcher))
            announce(order, parts[-1], watcher)
    elif orders:
        parts += each(orders)
    return total(parts, services)
