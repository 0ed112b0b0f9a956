"""Cells by groups of neighbours, so that a few searches look at all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.geo import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.cells import Cell
    from flows.cells.orders import Order


@dataclass(frozen=True, slots=True)
class Plot:
    """A cell of a plan.

    Attributes:
        cell: The cell.
        orders: What is asked of it, in the order of asking.
    """

    cell: Cell
    orders: tuple[Order, ...]

    @property
    def box(self) -> Box:
        """The smallest box around what is asked for, in degrees."""
        return surrounding([order.ground.bounds for order in self.orders])

    def holds(self, lon: float, lat: float) -> bool:
        """Says whether a place, in degrees, lies in it."""
        return self.cell.box.holds(lon, lat) and self.box.holds(lon, lat)


def plots_of(orders: Sequence[Order]) -> list[Plot]:
    """Returns the cells of orders, from south to north and west to east."""
    found: defaultdict[Cell, list[Order]] = defaultdict(list)
    for order in orders:
        found[order.ground.cell].append(order)
    return [Plot(cell, tuple(mine)) for cell, mine in sorted(found.items())]


def surrounding(boxes: Sequence[Box]) -> Box:
    """Returns the smallest box around boxes."""
    return Box(
        min(box.west for box in boxes), min(box.south for box in boxes),
        max(box.east for box in boxes), max(box.north for box in boxes),
    )  # fmt: skip


def group(plots: Sequence[Plot], most: int) -> list[tuple[Plot, ...]]:
    """Cuts cells into groups that lie together, by cutting the widest of them again and again.

    A group is cut along its longer side: at its widest gap, else so that both halves have as many
    cells. So regions that lie apart come apart first, and ground on the two sides of the
    antimeridian as well.

    Args:
        plots: The cells.
        most: Groups, at most.
    """
    groups = [tuple(plots)] if plots else []
    while len(groups) < most:
        widest = max(groups, key=lambda one: (_extent(one), len(one)), default=())
        if len(widest) < 2:
            break
        groups.remove(widest)
        groups += _cut(widest)
    return sorted(groups, key=lambda one: one[0].cell)


def _extent(plots: Sequence[Plot]) -> int:
    """Returns the cells of the box around a group; 0 for one that cannot be cut."""
    if len(plots) < 2:
        return 0
    rows, columns = _places(plots)
    return (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)


def _places(plots: Sequence[Plot]) -> tuple[list[int], list[int]]:
    """Returns the rows and the columns of cells."""
    return [one.cell.row for one in plots], [one.cell.column for one in plots]


def _cut(plots: Sequence[Plot]) -> list[tuple[Plot, ...]]:
    rows, columns = _places(plots)
    taller = max(rows) - min(rows) > max(columns) - min(columns)
    along = sorted(
        plots,
        key=lambda one: (one.cell.row, one.cell.column) if taller
        else (one.cell.column, one.cell.row),
    )  # fmt: skip
    at = [one.cell.row if taller else one.cell.column for one in along]
    gaps = [(at[number] - at[number - 1], number) for number in range(1, len(at))]
    gap, where = max(gaps, key=lambda one: (one[0], -abs(one[1] - len(at) / 2)))
    if gap < 2:
        where = len(at) // 2
    halves = (along[:where], along[where:])
    return [tuple(sorted(half, key=lambda one: one.cell)) for half in halves]
