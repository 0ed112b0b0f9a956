"""The build in miniature: what a plan asks, and one possible truth after another played through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from filters.sampling import quota_for
from flows.cells.state import CellState
from flows.planning.estimates import Range, range_of
from flows.planning.outlooks import photos_of
from flows.planning.rates import draw
from flows.planning.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order
    from flows.planning.groups import Plot
    from flows.planning.outlooks import Outlook, Pool
    from flows.planning.populations import Uploads
    from flows.planning.rates import Rates
    from flows.planning.rehearsal import Takings


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned.

    Attributes:
        orders: What a build would do, finished cells included.
        open: Of those, the ones in which there is something to do.
        since: First day of capture, as it was given; None for the catalogue's.
        until: Last day, as it was given; None for today.
        seed: The dataset's seed.
        probes: Groups of cells to look at.
    """

    orders: Sequence[Order]
    open: Sequence[Order]
    since: date | None
    until: date | None
    seed: int
    probes: int


@dataclass(slots=True)
class Miniature:
    """What the rehearsals need, and what they brought."""

    question: Question
    catalogue: Catalogue
    pools: list[Pool]
    uploads: Uploads
    rates: Rates
    states: Mapping[str, CellState]
    rounds: list[dict[str, float]] = field(default_factory=list)
    photos: dict[str, list[int]] = field(default_factory=dict)

    def build(self, number: int, cells: int, *, keep: bool) -> list[Takings]:
        """Rehearses one round."""
        rng = np.random.default_rng([self.question.seed & 0xFFFFFFFF, number])
        drawn = draw(self.rates, rng)
        total: dict[str, float] = {}
        every: list[Takings] = []
        plots = sum(len(pool.outlooks) for pool in self.pools)
        for pool in self.pools:
            counts = pool.counts(rng)
            size = len(pool.outlooks)
            most = min(size, max(1, round(cells * size / plots)))
            chosen = sorted(rng.choice(size, most, replace=False).tolist())
            for one in chosen:
                takings = self._cell(pool.outlooks[one], counts[one], drawn, rng)
                every.append(takings)
                for name, count in takings.counts.items():
                    total[name] = total.get(name, 0.0) + count * size / most
                if keep:
                    cell_id = pool.outlooks[one].plot.cell.cell_id
                    self.photos.setdefault(cell_id, []).append(takings.counts["photos"])
        if keep:
            self.rounds.append(total)
        return every

    def _cell(self, outlook: Outlook, count: int, drawn: Any, rng: np.random.Generator) -> Takings:
        photos = photos_of(outlook, count, self.uploads, rng)
        cell_id = outlook.plot.cell.cell_id
        state = self.states.get(cell_id) or CellState(cell_id)
        return rehearse(outlook.plot.orders, state, photos, self.catalogue, drawn, rng)

    def figure(self, name: str) -> Range:
        """Returns a figure with its range."""
        draws = [one.get(name, 0.0) for one in self.rounds]
        if name != "bytes":
            return range_of(draws)
        # The logarithm of a range is of one more than a figure, and one byte more is nothing: with
        # a photo in one repetition and none in the next, bytes would spread by millions. Photos
        # and chips are what they are counted in.
        items = sum(one.get("photos", 0.0) + one.get("chips", 0.0) for one in self.rounds)
        size = sum(draws) / items if items else 1.0
        return range_of([one / size for one in draws]).times(size)

    def missing(self, orders: Sequence[Order]) -> int:
        """Returns how many photos orders want beside those that the dataset keeps."""
        total = 0
        for order in orders:
            state = self.states.get(order.cell_id)
            rows = () if state is None else state.photos
            kept = sum(order.ground.holds(row.lon, row.lat) for row in rows)
            total += max(0, order_quota(order, self.catalogue) - kept)
        return total

    def cells(self) -> dict[str, tuple[float, float]]:
        """Returns the likely numbers of photos that are found and kept, of each cell."""
        found = {}
        for pool in self.pools:
            names = [one.plot.cell.cell_id for one in pool.outlooks]
            quotas = [
                max(0, plot_quota(one.plot, self.catalogue) - one.held.kept)
                for one in pool.outlooks
            ]  # fmt: skip
            tried = {name: self.photos[name] for name in names if name in self.photos}
            share = sum(sum(one) / len(one) for one in tried.values()) / max(
                1, sum(quota for name, quota in zip(names, quotas, strict=True) if name in tried)
            )
            for name, quota, count in zip(names, quotas, pool.likely(), strict=True):
                kept = tried.get(name)
                photos = min(share * quota, count) if kept is None else sum(kept) / len(kept)
                found[name] = (count, photos)
        return found


def plot_quota(plot: Plot, catalogue: Catalogue) -> int:
    """Returns how many photos the orders of a plot want in all."""
    return sum(order_quota(order, catalogue) for order in plot.orders)


def order_quota(order: Order, catalogue: Catalogue) -> int:
    """Returns how many photos an order wants."""
    return quota_for(catalogue.rules.quota_per_cell, order.ground.share)
