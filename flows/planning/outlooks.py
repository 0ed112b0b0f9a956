"""How many photos each cell has, as far as a few searches show, and what they are like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from flows.planning.populations import Outing, Uploads, moved, outings_of, populate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from collectors.cells import Cell
    from collectors.records import Photo
    from flows.planning.groups import Plot

LIKE_ENOUGH: Final = 40
"""Photos of a cell that are enough to copy from; with fewer, its neighbours' are copied as well."""

EVERY_CELL: Final = 0.5
"""Outings that a cell has before any was seen (Jeffreys's prior for shares)."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one cell promises.

    Attributes:
        plot: The cell.
        weight: Its part of what `pool` has, in outings seen there and `EVERY_CELL`; 0 if its count
            is known.
        known: How many photos it has; None if only the pool's count is known.
        seen: All of its photos, if a search has brought them all.
        outings: What to copy its photos from.
    """

    plot: Plot
    weight: float
    known: int | None
    seen: tuple[Photo, ...] | None
    outings: tuple[Outing, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Cells that share a count.

    Attributes:
        total: Photos of all of them together, without those whose count is known; inf where not
            even that is known, and `levels` stands for it.
        beside: Weight of the ground between and around the cells that was searched with them.
        outlooks: The cells.
        levels: Photos that like cells have; drawn from where there is no total.
    """

    total: float
    beside: float
    outlooks: tuple[Outlook, ...]
    levels: tuple[float, ...] = ()

    def counts(self, rng: np.random.Generator) -> list[int]:
        """Draws how many photos each cell has: one possible truth."""
        if self.levels:
            return [
                round(float(rng.choice(self.levels)) * sum(one.ground.share for one in
                      outlook.plot.orders) * float(rng.lognormal(0, 0.3)))
                for outlook in self.outlooks
            ]  # fmt: skip
        parts = [float(rng.gamma(one.weight)) if one.weight else 0.0 for one in self.outlooks]
        whole = sum(parts) + (float(rng.gamma(self.beside)) if self.beside else 0.0)
        return [
            outlook.known if outlook.known is not None else round(self.total * part / whole)
            for outlook, part in zip(self.outlooks, parts, strict=True)
        ]

    def likely(self) -> list[float]:
        """Returns how many photos each cell is expected to have."""
        if self.levels:
            mean = sum(self.levels) / len(self.levels)
            return [
                mean * sum(one.ground.share for one in outlook.plot.orders)
                for outlook in self.outlooks
            ]
        whole = sum(one.weight for one in self.outlooks) + self.beside
        return [
            float(one.known) if one.known is not None else self.total * one.weight / whole
            for one in self.outlooks
        ]


def pool_of(
    plots: Sequence[Plot],
    total: int,
    photos: Sequence[Photo],
    closer: Mapping[Cell, tuple[int, Sequence[Photo]]],
) -> Pool:
    """Makes the pool of a group from what searches of its box showed.

    Args:
        plots: The cells.
        total: What a search of the box around all of them announced.
        photos: What searches of that box brought.
        closer: For cells that were searched alone: what was announced, and what came.
    """
    inside = {plot.cell: [one for one in photos if plot.holds(one.lon, one.lat)] for plot in plots}
    for cell, (_, more) in closer.items():
        known = {one.photo_id for one in inside[cell]}
        inside[cell] += [one for one in more if one.photo_id not in known]
    everywhere = [(plot.cell, photo) for plot in plots for photo in inside[plot.cell]]
    outlooks = []
    for plot in plots:
        mine = inside[plot.cell]
        count = closer[plot.cell][0] if plot.cell in closer else None
        if len(plots) == 1 and count is None:
            count = total
        complete = count is not None and count <= len(mine)
        like = list(mine)
        if len(mine) < LIKE_ENOUGH:
            like += [
                _unique(moved(one, cell.box, plot.cell.box), cell)
                for cell, one in everywhere if cell != plot.cell
            ]  # fmt: skip
        outlooks.append(
            Outlook(
                plot,
                0.0 if count is not None else len(outings_of(mine)) + EVERY_CELL,
                count,
                tuple(mine) if complete else None,
                tuple(outings_of(like)),
            )
        )
    rest = total - sum(one.known for one in outlooks if one.known is not None)
    outside = [
        one for one in photos if not any(plot.holds(one.lon, one.lat) for plot in plots)
    ]  # fmt: skip
    return Pool(max(0, rest), float(len(outings_of(outside))), tuple(outlooks))


def _unique(photo: Photo, cell: Cell) -> Photo:
    """Keeps a neighbour's photos apart from a cell's own."""
    return replace(photo, photo_id=f"{photo.photo_id}{cell.row:03d}{cell.column:03d}")


def photos_of(
    outlook: Outlook, count: int, uploads: Uploads, rng: np.random.Generator
) -> list[Photo]:
    """Returns the photos of a cell: those that were seen, if all were; else some like them."""
    if outlook.seen is not None:
        return list(outlook.seen)
    first = min(order.taken_from for order in outlook.plot.orders)
    last = max(order.taken_until for order in outlook.plot.orders)
    holds = outlook.plot.holds
    return populate(outlook.outings, count, holds, (first, last), uploads, rng)
