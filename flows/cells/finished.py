"""Cells in which there is nothing to do, recognised from their commits alone, before work begins.

A cell is finished for an order if collecting it would ask no service and change no row: it has its
quota on the order's ground, or was surveyed to the end up to the order's time; it was judged by the
same rules and weights; and no photo waits for a sensor, a settled scene, or a chip to be asked for
again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from collectors.sensors import NoScene
from filters.sampling import quota_for
from flows.cells.chip_stage import WITHOUT_SCENE
from flows.cells.orders import Summary
from flows.cells.state import Surveyed, latest_generations, read_commit, searched_until
from flows.products.tables import read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.cells.orders import Order
    from flows.cells.services import Services

_READERS: Final = 32
"""Commits that are read at once: a remote store takes tens of milliseconds for each."""

_CLOCKS_APART: Final = timedelta(hours=1)
"""How far the clocks of machines may differ, and a run may take to begin, without a word."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, besides a commit and an order, whether a cell is finished.

    Attributes:
        judgement: Hash of the rules that judge now.
        weights: SHA-256 of the weights that judge now.
        quota_per_cell: Kept photos wanted in a whole cell.
        sensors: The catalogue's sensors by name.
    """

    judgement: str
    weights: str
    quota_per_cell: int
    sensors: Mapping[str, Sensor]

    @classmethod
    def of(cls, services: Services) -> Rules:
        """Returns those of a run."""
        catalogue = services.catalogue
        return cls(
            catalogue.judgement, services.weights, catalogue.rules.quota_per_cell,
            catalogue.sensors,
        )  # fmt: skip


def leave_out_finished(
    orders: Sequence[Order], services: Services, tell: Callable[[str], None]
) -> tuple[list[Order], list[Summary]]:
    """Leaves out the orders on cells in which there is nothing to do.

    Of several orders on one cell all are kept or none: what one of them adds may concern another.

    Args:
        orders: What is asked.
        services: The outside world; only its storage is used.
        tell: Takes a line about cells that were left out, and about a clock that is wrong.

    Returns:
        The orders that are left, and a summary for each other one.
    """
    rules = Rules.of(services)
    latest = latest_generations(services.store)
    by_cell: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_cell[order.cell_id].append(order)

    def look(cell_id: str) -> tuple[list[Order], list[Summary]]:
        mine = by_cell[cell_id]
        if cell_id not in latest:
            return mine, []
        commit = read_commit(services.store, cell_id, latest[cell_id])
        mine = [_with_doubt(order, commit, tell) for order in mine]
        found = [finished(commit, order, rules, services.store) for order in mine]
        summaries = [one for one in found if one is not None]
        return (mine, []) if len(summaries) < len(found) else ([], summaries)

    left: dict[str, list[Order]] = {}
    done: list[Summary] = []
    with ThreadPoolExecutor(_READERS, "commits") as pool:
        for cell_id, (mine, summaries) in zip(by_cell, pool.map(look, by_cell), strict=True):
            left[cell_id] = mine
            done += summaries
    if done:
        tell(f"{len(done)} of {len(orders)} cells have nothing new to do")
    return [left[order.cell_id].pop(0) for order in orders if left[order.cell_id]], done


def finished(commit: Mapping[str, Any], order: Order, rules: Rules, store: Store) -> Summary | None:
    """Returns what collecting a cell would count if nothing is left to do there; else None.

    Args:
        commit: The cell's newest commit.
        order: What is asked.
        rules: What judges now.
        store: The dataset. It is asked for the photos' places only where the ground is a part of
            the cell of which the commit does not say enough.
    """
    if "unpaired" not in commit:  # written by an earlier release
        return None
    if (commit["judgement"], commit["weights"]) != (rules.judgement, rules.weights):
        return None
    if any(_is_awaited(commit["unpaired"], rules.sensors[name], order) for name in order.sensors):
        return None
    missing = _missing_photos(commit, order, rules.quota_per_cell, store)
    if missing is None:
        return None
    short = {order.cell_id: missing} if missing else {}
    return Summary(cells=Counter(unchanged=1), short=short)


def _is_awaited(unpaired: Mapping[str, Mapping[str, Any]], sensor: Sensor, order: Order) -> bool:
    """Says whether photos without a pair are to be looked at again for a sensor."""
    reasons = unpaired.get(sensor.name, {})
    if "not_requested" in reasons:
        return True
    if sensor.no_scene is NoScene.ASK_AGAIN and WITHOUT_SCENE & reasons.keys():
        return True
    if "deferred" not in reasons:
        return False
    oldest = date.fromisoformat(reasons["deferred"]["first_taken"])
    return (order.now.date() - oldest).days >= sensor.settle_days


def _missing_photos(
    commit: Mapping[str, Any], order: Order, quota_per_cell: int, store: Store
) -> int | None:
    """Returns how many photos an order's quota lacks and will lack; None if a search may help."""
    quota = quota_for(quota_per_cell, order.ground.share)
    surveys = [Surveyed.parse(one) for one in commit["surveyed"]]
    searched = searched_until(surveys, order, quota)
    exhausted = searched is not None and searched >= order.now
    everything: int = commit["counts"]["photos"]
    if order.ground.polygon.equals_exact(order.ground.cell.box.polygon()):
        held = everything
    elif any(
        one.ended == "quota" and one.quota >= quota and one.ground == order.ground_key
        for one in surveys
    ):
        return 0  # a photo leaves a cell only if it is forgotten, and then the survey is reopened
    elif everything < quota and not exhausted:
        return None
    else:
        places = read_parquet(store.read(commit["parts"]["photos"])).select(["lon", "lat"])
        held = sum(order.ground.holds(one["lon"], one["lat"]) for one in places.to_pylist())
    if held >= quota:
        return 0
    return quota - held if exhausted else None


def _with_doubt(order: Order, commit: Mapping[str, Any], tell: Callable[[str], None]) -> Order:
    """Returns an order that does not count surveys which a wrong clock dated."""
    times = [datetime.fromisoformat(one["uploaded_until"]) for one in commit["surveyed"]]
    newest = max(times, default=order.now)
    if newest <= order.now + _CLOCKS_APART:
        return order
    tell(
        f"cell {order.cell_id} was surveyed up to {newest:%Y-%m-%d %H:%M} UTC, and this run's clock"
        f" says {order.now:%Y-%m-%d %H:%M}: this machine's clock is wrong (set it), or another's"
        " was; what was uploaded in between is looked for again"
    )
    return replace(order, doubt_later_surveys=True)
